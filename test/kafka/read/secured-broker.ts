// A broker whose listeners ask for TLS, SASL and client certificates, with a certificate for each way in which one can be wrong.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Authority, makeAuthority, type Pair } from '../../postgres/certificates.ts';
import { temporaryFolder } from '../../stack/guard.ts';
import { type KafkaNode, startKafka } from '../../stack/kafka-broker.ts';
import { kafkaLibraries } from '../../stack/kafka-libraries.ts';

export interface SecuredBroker {
  readonly node: KafkaNode;
  readonly folder: string;
  readonly authority: Authority;
  /** Of an authority the broker does not know, and that did not sign its certificates. */
  readonly stranger: Authority;
  readonly clientPair: Pair;
  /**
   * `host:port` of a listener: PLAINTEXT; SECURE (SASL_SSL), MUTUAL (TLS with client certificates), OTHER (TLS, its certificate
   * is for kafka.example), EXPIRED (TLS, its certificate has run out), OPEN (SASL without TLS).
   */
  at(listener: 'PLAINTEXT' | 'SECURE' | 'MUTUAL' | 'OTHER' | 'EXPIRED' | 'OPEN'): string;
}

/** Users `admin`, who may do all, and `guest` (SCRAM-SHA-256 only), who may do nothing; both with `password`. */
export async function startSecuredBroker(password: string): Promise<SecuredBroker> {
  const folder = temporaryFolder('secured');
  const authority = makeAuthority(folder, 'authority');
  const stranger = makeAuthority(folder, 'stranger');
  const here = 'DNS:localhost,IP:127.0.0.1';
  const right = authority.sign('right', { commonName: 'localhost', names: here });
  const other = authority.sign('other', { commonName: 'kafka.example', names: 'DNS:kafka.example' });
  const expired = authority.sign('expired', { commonName: 'localhost', names: here, days: -1 });
  const clientPair = authority.sign('client', { commonName: 'client' });
  const module = (name: string) => `org.apache.kafka.common.security.${name}`;
  const login = (listener: string) => ({
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`listener.name.${listener}.plain.sasl.jaas.config`]: `${module('plain.PlainLoginModule')} required user_admin="${password}";`,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: `${module('scram.ScramLoginModule')} required;`,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: `${module('scram.ScramLoginModule')} required;`,
  });
  const keystore = (listener: string, pair: Pair) => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: pemOf(folder, pair),
  });
  const node = await startKafka({
    listeners: {
      PLAINTEXT: {},
      SECURE: { protocol: 'SASL_SSL' },
      MUTUAL: { protocol: 'SSL' },
      OTHER: { protocol: 'SSL' },
      EXPIRED: { protocol: 'SSL' },
      OPEN: { protocol: 'SASL_PLAINTEXT' },
    },
    properties: {
      ...login('secure'),
      ...login('open'),
      ...keystore('secure', right),
      ...keystore('mutual', right),
      ...keystore('other', other),
      ...keystore('expired', expired),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.mutual.ssl.truststore.type': 'PEM',
      'listener.name.mutual.ssl.truststore.location': authority.pair.cert,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS;User:admin;User:CN=client',
    },
  });
  await addScramUsers(node.bootstrap, password);
  return {
    node,
    folder,
    authority,
    stranger,
    clientPair,
    at: (listener) => node.listeners[listener] ?? '',
  };
}

/** Key and certificate in one file, as Kafka wants them. */
function pemOf(folder: string, pair: Pair): string {
  const file = join(folder, `${pair.cert.replace(/^.*\//, '')}.pem`);
  writeFileSync(file, `${readFileSync(pair.key, 'utf8')}${readFileSync(pair.cert, 'utf8')}`);
  return file;
}

async function addScramUsers(bootstrap: string, password: string): Promise<void> {
  const { java, classPath } = await kafkaLibraries();
  // One mechanism a call: Kafka refuses to change a user twice in one request.
  const add = (user: string, mechanism: string) => {
    const config = `${mechanism}=[iterations=4096,password=${password}]`;
    const args = ['--bootstrap-server', bootstrap, '--alter', '--add-config', config, '--entity-type', 'users'];
    const flags = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', classPath];
    return promisify(execFile)(java, [...flags, 'kafka.admin.ConfigCommand', ...args, '--entity-name', user]);
  };
  await Promise.all([add('admin', 'SCRAM-SHA-256'), add('admin', 'SCRAM-SHA-512'), add('guest', 'SCRAM-SHA-256')]);
}
