// How a connection proves who it is: TLS options and SASL passwords, read from their files each time a connection is made, so
// that a renewed certificate or a rotated password needs no restart. Nothing here keeps a password or puts one in a message.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { Failure } from '../model/failure.ts';
import type { KafkaSettings, SecretSource } from '../model/project.ts';
import { TLS_FILE } from './connection-errors.ts';
import type { KafkajsAuthenticationArguments, KafkajsAuthenticator, KafkajsInternals } from './kafkajs-types.ts';

type TlsSettings = NonNullable<KafkaSettings['tls']>;
type SaslSettings = NonNullable<KafkaSettings['sasl']>;

/** The `sasl` setting of kafkajs: a mechanism whose provider is asked at every authentication. */
export interface SaslMechanism {
  readonly mechanism: string;
  authenticationProvider(args: KafkajsAuthenticationArguments): KafkajsAuthenticator;
}

/**
 * Options of `tls.connect` for a broker, with the files read now. The certificate is always verified, against
 * `settings.serverName` if given, else the host (RFC 6125; an address needs an IP entry in the certificate).
 * Throws a Failure (`tls`) when a file cannot be read.
 */
export function readTlsOptions(settings: TlsSettings, host: string): ConnectionOptions {
  const name = settings.serverName ?? host;
  return {
    ...(settings.ca === undefined ? {} : { ca: readTlsFile('ca', settings.ca) }),
    ...(settings.cert === undefined ? {} : { cert: readTlsFile('cert', settings.cert) }),
    ...(settings.key === undefined ? {} : { key: readTlsFile('key', settings.key) }),
    // A server name may not be an address (RFC 6066), and without one Node checks a certificate against `localhost`.
    ...(isIP(name) ? {} : { servername: name }),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    minVersion: 'TLSv1.2',
  };
}

/** kafkajs's `sasl` setting for `settings`; the password is read whenever a connection authenticates. */
export function saslMechanism(settings: SaslSettings, internals: KafkajsInternals): SaslMechanism {
  const { plain, scram256, scram512 } = internals.mechanisms;
  const mechanism = { plain, 'scram-sha-256': scram256, 'scram-sha-512': scram512 }[settings.mechanism];
  const { username } = settings;
  return {
    mechanism: settings.mechanism,
    authenticationProvider: (args) => ({
      authenticate: async () => {
        const password = readPassword(settings.password);
        await mechanism({ username, password })(args).authenticate();
      },
    }),
  };
}

/** The password itself, or the content of its file without the line break at its end. Throws a Failure (`authentication`). */
function readPassword(source: SecretSource): string {
  if ('value' in source) return source.value;
  try {
    return readFileSync(source.file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw unreadable('the password file', source.file, 'authentication', error);
  }
}

function readTlsFile(field: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw unreadable(`the TLS file \`${field}\``, file, 'tls', error);
  }
}

function unreadable(what: string, file: string, kind: 'tls' | 'authentication', cause: unknown): Failure {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
  const reason = { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'is a folder' }[code] ?? code;
  return new Failure(`kafka: cannot read ${what} ${file}: ${reason}`, {
    kind,
    // kafkajs keeps of a socket's error only its text and code.
    code: kind === 'tls' ? TLS_FILE : code,
    cause,
    hint: 'check the path under `kafka:` in pgtally.yaml and that the user pgtally runs as may read it',
  });
}
