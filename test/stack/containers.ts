// Kafka and Postgres as Docker containers, for machines with a Docker engine and neither Java nor Postgres.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { guardContainer } from './guard.ts';
import { KAFKA_VERSION } from './kafka-libraries.ts';
import { freePorts } from './ports.ts';

const run = promisify(execFile);

export interface Container {
  /** Published on 127.0.0.1. */
  readonly port: number;
  readonly discard: () => Promise<void>;
}

/** Why Docker cannot be used, or undefined when its engine answers: the client alone starts nothing. */
export async function dockerProblem(): Promise<string | undefined> {
  try {
    await run('docker', ['info'], { timeout: 10_000 });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '`docker` is not installed';
    const { stderr } = error as { stderr?: string };
    return `\`docker info\` fails: ${stderr?.trim().split('\n')[0] ?? String(error)}`;
  }
}

/** One Kafka node of the image apache/kafka. The first setting given replaces all of the image's, so all are given. */
export function startKafkaContainer(): Promise<Container> {
  return startContainer(/Kafka Server started/, (port) => {
    const settings = {
      NODE_ID: 1,
      PROCESS_ROLES: 'broker,controller',
      LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:9093`,
      ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      AUTO_CREATE_TOPICS_ENABLE: false,
      OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
      TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1,
      TRANSACTION_STATE_LOG_MIN_ISR: 1,
      GROUP_INITIAL_REBALANCE_DELAY_MS: 0,
    };
    const environment = Object.entries(settings).flatMap(([name, value]) => ['-e', `KAFKA_${name}=${value}`]);
    return [...environment, '-p', `127.0.0.1:${port}:${port}`, `apache/kafka:${KAFKA_VERSION}`];
  });
}

/** One Postgres of the image postgres, superuser `postgres` without a password. It has one address for all clients. */
export function startPostgresContainer(maxConnections: number): Promise<Container> {
  const settings = ['fsync=off', 'jit=off', `max_connections=${maxConnections}`, 'timezone=UTC'];
  const options = settings.flatMap((setting) => ['-c', setting]);
  // The image starts the server twice: first for its own set-up, without TCP.
  return startContainer(/init process complete[\s\S]*ready to accept connections/, (port) =>
    ['-e', 'POSTGRES_HOST_AUTH_METHOD=trust', '-p', `127.0.0.1:${port}:5432`, 'postgres:18'].concat(options),
  );
}

async function startContainer(ready: RegExp, args: (port: number) => readonly string[]): Promise<Container> {
  for (let attempt = 1; ; attempt++) {
    const [port = 0] = await freePorts(1);
    const name = `pgtally-${randomBytes(6).toString('hex')}`;
    const forget = guardContainer(name);
    const discard = async () => {
      await run('docker', ['rm', '--force', '--volumes', name]);
      forget();
    };
    try {
      // Without a limit: the first time, the image is downloaded.
      await run('docker', ['run', '--detach', '--name', name, ...args(port)]);
      await waitUntilReady(name, ready);
      return { port, discard };
    } catch (error) {
      await discard();
      if (!/port is already allocated|address already in use/i.test(String(error)) || attempt === 5) throw error;
    }
  }
}

async function waitUntilReady(name: string, ready: RegExp): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const { stdout, stderr } = await run('docker', ['logs', name], { maxBuffer: 64 * 1024 ** 2 });
    if (ready.test(stdout + stderr)) return;
    const state = (await run('docker', ['inspect', '--format', '{{.State.Running}}', name])).stdout.trim();
    if (state !== 'true' || Date.now() > deadline) {
      const log = (stdout + stderr).trimEnd().split('\n').slice(-15).join('\n');
      throw new Error(`the container did not become ready; the end of its log:\n${log}`);
    }
    await sleep(200);
  }
}
