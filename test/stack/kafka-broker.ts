// One real Kafka node from the jars, in KRaft mode, in a data folder of its own. Where Kafka comes from when there is no
// Java is not decided here.

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ClassArchive, classArchive } from './class-archive.ts';
import { spawnGuarded, temporaryFolder } from './guard.ts';
import { kafkaLibraries } from './kafka-libraries.ts';
import { freePorts } from './ports.ts';
import { endProcess, StartFailure, waitForLog } from './wait-for-process.ts';

export interface KafkaNode {
  /** `host:port` of the broker's first listener; stays the same over `restart`. */
  readonly bootstrap: string;
  /** `host:port` by listener name, controllers included. */
  readonly listeners: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Its process while it runs: to freeze it with SIGSTOP, for example. */
  readonly pid: () => number | undefined;
  /** Ends it in good order (SIGTERM). */
  stop(): Promise<void>;
  /** For one that is not needed any more: at once, unless its orderly end speeds up later starts. */
  discard(): Promise<void>;
  /** Ends it at once (SIGKILL); what it had not written is lost. */
  kill(): Promise<void>;
  /** Starts it again with the same data and ports, after `stop` or `kill`. */
  restart(): Promise<void>;
}

export interface ListenerOptions {
  /** Its security protocol. Default PLAINTEXT. */
  readonly protocol?: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  /** Where clients are told to connect, `host:port`: a proxy's address. Default: the listener itself. */
  readonly advertised?: string;
}

export interface KafkaNodeOptions {
  /** Listeners for clients by name (upper case letters); the first is `bootstrap`. Default: PLAINTEXT alone. */
  readonly listeners?: Readonly<Record<string, ListenerOptions>>;
  /** server.properties lines that are added, or replace ours. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** Heap, in MiB. */
  readonly memory?: number;
  /** For the JVM, in place of those that make a short life cheap. */
  readonly jvmFlags?: readonly string[];
}

/** What a node is in a cluster; `startKafka` makes it for a single one. */
export interface NodeRole {
  readonly id: number;
  readonly roles: string;
  readonly cluster: string;
  /** `id@host:port`, comma separated. Absent: this node is the only controller. */
  readonly voters?: string;
}

/** A single node, broker and controller in one; ready in 1–2 s. Rejects with what Kafka wrote when it does not start. */
export async function startKafka(options: KafkaNodeOptions = {}): Promise<KafkaNode> {
  return startKafkaNode({ id: 1, roles: 'broker,controller', cluster: newUuid() }, options);
}

/** One node of a cluster, on free ports of 127.0.0.1. */
export async function startKafkaNode(role: NodeRole, options: KafkaNodeOptions = {}): Promise<KafkaNode> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(role, options);
    } catch (error) {
      const taken = error instanceof StartFailure && /BindException|Address already in use/i.test(error.log);
      if (!taken || attempt === 5) throw error;
    }
  }
}

/** 16 random bytes as Kafka writes its ids: base64url without padding, not beginning with `-`. */
export function newUuid(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

async function startOnce(role: NodeRole, options: KafkaNodeOptions): Promise<KafkaNode> {
  const libraries = await kafkaLibraries();
  const folder = temporaryFolder(`kafka-${role.id}`);
  const names = role.roles.includes('broker') ? Object.keys(options.listeners ?? { PLAINTEXT: {} }) : [];
  if (role.roles.includes('controller')) names.push('CONTROLLER');
  const ports = await freePorts(names.length);
  const listeners = Object.fromEntries(names.map((name, index) => [name, `127.0.0.1:${ports[index]}`]));
  const config = join(folder, 'server.properties');
  const logFile = join(folder, 'kafka.log');
  writeFileSync(config, serverProperties(folder, role, listeners, options));
  writeFileSync(join(folder, 'log4j2.properties'), LOGGING);
  writeFileSync(logFile, '');
  mkdirSync(join(folder, 'data'));
  // What StorageTool would write, in a second and a JVM of its own.
  writeFileSync(
    join(folder, 'data', 'meta.properties'),
    `version=1\ncluster.id=${role.cluster}\nnode.id=${role.id}\ndirectory.id=${newUuid()}\n`,
  );

  let child: ChildProcess;
  let archive: ClassArchive;
  const start = async () => {
    writeFileSync(logFile, '');
    archive = classArchive(`broker-${basename(libraries.folder)}`, folder);
    const memory = `-Xmx${options.memory ?? 256}m`;
    const args = [
      ...(options.jvmFlags ?? SHORT_LIFE),
      memory,
      ...archive.flags,
      `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
    ];
    args.push('-cp', libraries.classPath, 'kafka.Kafka', config);
    child = spawnGuarded(libraries.java, args, { logFile, endWith: 'KILL' });
    await waitForLog(child, logFile, /Kafka Server started/, `Kafka (node ${role.id})`);
  };
  const stop = async () => {
    await endProcess(child, 'SIGTERM');
    archive.keep();
  };
  await start();
  return {
    bootstrap: listeners[names[0] ?? ''] ?? '',
    listeners,
    logFile,
    pid: () => (child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    stop,
    discard: () => (archive.writes ? stop() : endProcess(child, 'SIGKILL')),
    kill: () => endProcess(child, 'SIGKILL'),
    restart: start,
  };
}

function serverProperties(
  folder: string,
  role: NodeRole,
  listeners: Readonly<Record<string, string>>,
  options: KafkaNodeOptions,
): string {
  const clients = Object.entries(options.listeners ?? { PLAINTEXT: {} }).filter(([name]) => name in listeners);
  const protocols = clients.map(([name, listener]) => `${name}:${listener.protocol ?? 'PLAINTEXT'}`);
  const properties: Record<string, string | number | boolean> = {
    'process.roles': role.roles,
    'node.id': role.id,
    'controller.quorum.voters': role.voters ?? `${role.id}@${listeners.CONTROLLER}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: Object.entries(listeners)
      .map(([name, address]) => `${name}://${address}`)
      .join(','),
    'listener.security.protocol.map': [...protocols, 'CONTROLLER:PLAINTEXT'].join(','),
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 10_485_760,
    'controlled.shutdown.max.retries': 1,
  };
  if (clients.length > 0) {
    properties['advertised.listeners'] = clients
      .map(([name, listener]) => `${name}://${listener.advertised ?? listeners[name]}`)
      .join(',');
    properties['inter.broker.listener.name'] = clients[0]?.[0] ?? '';
  }
  const all = { ...properties, ...options.properties };
  return `${Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

/** Ready sooner, and never compiled as well as a broker that lives for days. */
const SHORT_LIFE = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const LOGGING = `
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=INFO
`;
