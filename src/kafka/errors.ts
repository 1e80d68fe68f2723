// Errors of kafkajs, the network and TLS as Failures: what happened, at which broker, what to do. The one place that knows how
// kafkajs nests its causes; everyone else branches on `kind`, `retryable` and `code`.
import { Failure, type FailureKind } from '../model/failure.ts';
import { ERROR_MEANINGS, LATER_CODES } from './error-codes.ts';
import { loadKafkajs } from './kafkajs.ts';

/** The fields that errors of kafkajs, Node's net and Node's tls may carry. */
interface ForeignError extends Error {
  readonly type?: unknown;
  readonly code?: unknown;
  readonly broker?: unknown;
  readonly errors?: readonly unknown[];
  readonly topic?: unknown;
  readonly retriable?: unknown;
}

/** What was found out about an error, before it becomes a sentence. */
interface Finding {
  readonly kind: FailureKind;
  readonly retryable: boolean;
  readonly what: string;
  readonly code: string;
  readonly hint?: string | undefined;
}

/**
 * Any error that came out of kafkajs or a socket, as a Failure; a Failure is returned as it is.
 * `doing` is a clause such as "sending to `AGGREGATIONS`", or empty; `brokers` are the configured addresses; `topic` goes into
 * messages and hints about topics. Kinds: `kafka` (unavailable: downtime), `topic`, `record`, `fenced`, `authentication`,
 * `tls`, `configuration`, else `internal`.
 */
export function kafkaFailure(error: unknown, doing: string, brokers: readonly string[], topic?: string): Failure {
  const chain = causes(error);
  const failure = chain.find((link) => link instanceof Failure);
  if (failure) return failure;
  const root = chain.at(-1) as ForeignError;
  const broker = chain.map((link) => (link as ForeignError).broker).find((name) => typeof name === 'string');
  const about = topic ?? chain.map((link) => (link as ForeignError).topic).find((name) => typeof name === 'string');
  const found = describeError(root, broker ?? brokers.join(', '), about as string | undefined);
  return new Failure(`kafka: ${found.what}${doing === '' ? '' : ` while ${doing}`}`, {
    kind: found.kind,
    retryable: found.retryable,
    code: found.code,
    cause: error,
    ...(found.hint === undefined ? {} : { hint: found.hint }),
  });
}

/**
 * The Failure for an error code in an answer of a broker; `detail` is the broker's own message, if it sent one.
 * `name` is Kafka's name of the error, as `errorName` gives it.
 */
export function codeFailure(name: string, doing: string, topic?: string, detail?: string | null): Failure {
  const found = describeCode(name, topic, undefined);
  const text = detail ? `${found.what}: ${lowerFirst(detail).replace(/\.$/, '')}` : found.what;
  return new Failure(`kafka: ${text}${doing === '' ? '' : ` while ${doing}`}`, {
    kind: found.kind,
    retryable: found.retryable,
    code: found.code,
    ...(found.hint === undefined ? {} : { hint: found.hint }),
  });
}

/** Kafka's name of an error code in an answer, as kafkajs spells it; `ERROR_123` for one that neither of us knows. */
export function errorName(code: number): string {
  const known = LATER_CODES[code] ?? loadKafkajs().internals.createErrorFromCode(code).type;
  return known === 'KAFKAJS_UNKNOWN_ERROR_CODE' ? `ERROR_${code}` : known;
}

/** From the outermost error to what caused it: kafkajs's retry wrappers, its aggregates and Node's AggregateError opened. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let next: unknown = error;
  while (next !== undefined && next !== null && !chain.includes(next as Error)) {
    const link = next instanceof Error ? next : new Error(typeof next === 'string' ? next : 'thrown without an error');
    chain.push(link);
    const { cause, errors } = link as ForeignError;
    next = cause ?? errors?.[0];
  }
  return chain;
}

function describeError(error: ForeignError, broker: string, topic: string | undefined): Finding {
  const at = broker === '' ? '' : ` by ${broker}`;
  const code = typeof error.code === 'string' ? error.code : '';
  if (error.name === 'KafkaJSSASLAuthenticationError') return describeRefusal(error.message, at);
  if (typeof error.type === 'string') {
    const name = error.type === 'KAFKAJS_UNKNOWN_ERROR_CODE' ? laterName(error.message) : error.type;
    return describeCode(name, topic, error);
  }
  return (
    describeTls(code, error.message, broker) ??
    describeNetwork(code, broker) ??
    describeClient(error, broker) ?? {
      kind: 'internal',
      retryable: false,
      what: `${error.name}: ${error.message}`,
      code: error.name,
    }
  );
}

/** 90 ← "Unknown error code 90", which is all kafkajs says about codes later than itself. */
function laterName(message: string): string {
  const number = Number(/\d+$/.exec(message)?.[0] ?? Number.NaN);
  return LATER_CODES[number] ?? `ERROR_${number}`;
}

function describeCode(name: string, topic: string | undefined, error: ForeignError | undefined): Finding {
  const meaning = ERROR_MEANINGS[name];
  const subject = topic === undefined ? 'the topic' : `topic \`${topic}\``;
  const fill = (text: string) => text.replaceAll('{topic}', subject).replaceAll('{name}', topic ?? 'NAME');
  if (meaning) {
    const { kind, retryable, text, hint } = meaning;
    const filled = fill(hint ?? '').replaceAll(`describe ${subject}`, `describe ${topic ?? 'NAME'}`);
    return { kind, retryable, what: fill(text), code: name, hint: hint === undefined ? undefined : filled };
  }
  const text = error === undefined ? `the broker answered ${name}` : lowerFirst(error.message);
  return { kind: 'kafka', retryable: error?.retriable !== false, what: `${text} (${name})`, code: name };
}

function describeRefusal(message: string, at: string): Finding {
  const unsupported = message.includes('not supported by the server');
  const name = unsupported ? 'UNSUPPORTED_SASL_MECHANISM' : 'SASL_AUTHENTICATION_FAILED';
  const { kind, retryable, text, hint } = ERROR_MEANINGS[name] as (typeof ERROR_MEANINGS)[string];
  const closed = message.includes('Connection closed');
  return { kind, retryable, what: closed ? `${message}${at}` : `${text}${at}`, code: name, hint };
}

const CHECK_CA = "set `kafka.tls.ca` to the file of the authority that signed the broker's certificate";
const TLS_PROBLEMS: Readonly<Record<string, { readonly text: string; readonly hint: string }>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: { text: 'the certificate of {broker} is self-signed', hint: CHECK_CA },
  SELF_SIGNED_CERT_IN_CHAIN: { text: 'the certificate of {broker} is signed by an unknown authority', hint: CHECK_CA },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    text: 'the certificate of {broker} is signed by an unknown authority',
    hint: CHECK_CA,
  },
  UNABLE_TO_GET_ISSUER_CERT: { text: 'the certificate of {broker} is signed by an unknown authority', hint: CHECK_CA },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    text: 'the certificate of {broker} is signed by an unknown authority',
    hint: CHECK_CA,
  },
  CERT_SIGNATURE_FAILURE: { text: 'the certificate of {broker} is not signed by the given authority', hint: CHECK_CA },
  CERT_HAS_EXPIRED: { text: 'the certificate of {broker} has expired', hint: 'renew it on the broker' },
  CERT_NOT_YET_VALID: {
    text: 'the certificate of {broker} is not valid yet',
    hint: "compare this machine's clock with the certificate's dates",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    text: 'the certificate of {broker} is for another name',
    hint: 'connect by a name the certificate holds, or set `kafka.tls.server_name` to one',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    text: '{broker} does not speak TLS',
    hint: 'use the port of its TLS listener, or remove `kafka.tls`',
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    text: '{broker} does not speak TLS',
    hint: 'use the port of its TLS listener, or remove `kafka.tls`',
  },
};

function describeTls(code: string, message: string, broker: string): Finding | undefined {
  const known = TLS_PROBLEMS[code];
  const text = message.replace(/^Connection error: /, '');
  if (known) {
    const detail =
      code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? ` (${text.replace(/^.*altnames: /, '').replace(/\.$/, '')})` : '';
    return {
      kind: 'tls',
      retryable: false,
      what: known.text.replace('{broker}', broker) + detail,
      code,
      hint: known.hint,
    };
  }
  if (!/^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|CRL_|HOSTNAME_|INVALID_CA|EPROTO$)/.test(code)) return undefined;
  const wantsCertificate = /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA/.test(code);
  return {
    kind: 'tls',
    retryable: false,
    what: `TLS with ${broker} failed: ${lowerFirst(text.replace(/^[0-9A-F]+:error:[^:]*:/, ''))}`,
    code,
    hint: wantsCertificate
      ? 'the broker wants a client certificate it trusts: set `kafka.tls.cert` and `kafka.tls.key`'
      : 'check the files under `kafka.tls` in pgtally.yaml',
  };
}

const CHECK_BROKERS = 'check that Kafka runs and that `kafka.brokers` in pgtally.yaml names its address and port';
const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused by {broker}',
  ECONNRESET: 'connection closed by {broker}',
  EPIPE: 'connection closed by {broker}',
  ECLOSED: 'the connection to {broker} was closed',
  ENOTFOUND: 'the host of {broker} is unknown',
  EAI_AGAIN: 'the host of {broker} cannot be looked up now',
  ETIMEDOUT: 'connecting to {broker} timed out',
  EHOSTUNREACH: 'no route to {broker}',
  ENETUNREACH: 'no route to {broker}',
};

function describeNetwork(code: string, broker: string): Finding | undefined {
  const text = NETWORK_PROBLEMS[code];
  if (text === undefined) return undefined;
  return { kind: 'kafka', retryable: true, what: text.replace('{broker}', broker), code, hint: CHECK_BROKERS };
}

/** Errors kafkajs raises by itself, without a code of Kafka or the system. */
function describeClient(error: ForeignError, broker: string): Finding | undefined {
  const downtime = (what: string, hint?: string): Finding => ({
    kind: 'kafka',
    retryable: true,
    what,
    code: error.name,
    hint,
  });
  switch (error.name) {
    case 'KafkaJSConnectionClosedError':
      return downtime(
        `connection closed by ${broker}`,
        'if it happens at each start, check that the port fits `kafka.tls` and `kafka.sasl`: a listener closes what it does not understand',
      );
    case 'KafkaJSConnectionError':
      return error.message === 'Connection timeout'
        ? downtime(`connecting to ${broker} timed out`, CHECK_BROKERS)
        : downtime(`${lowerFirst(error.message)} (${broker})`, CHECK_BROKERS);
    case 'KafkaJSRequestTimeoutError':
      return downtime(`${broker} did not answer in time`, 'the broker may be overloaded or frozen: see its log');
    case 'KafkaJSServerDoesNotSupportApiKey':
      return {
        kind: 'configuration',
        retryable: false,
        what: `${broker} does not know a request pgtally needs`,
        code: error.name,
        hint: 'pgtally needs Kafka 1.0 or later',
      };
    default:
      return error.name.startsWith('KafkaJS') ? downtime(`${lowerFirst(error.message)} (${broker})`) : undefined;
  }
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
