// Errors of kafkajs, the network and TLS as Failures: what happened, at which broker, what to do. The one place that knows how
// kafkajs nests its causes; everyone else branches on `kind`, `retryable` and `code`.
import { Failure } from '../model/failure.ts';
import { CHECK_BROKERS, describeConnection, type Finding } from './connection-errors.ts';
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
  do {
    const link = next instanceof Error ? next : new Error(typeof next === 'string' ? next : 'thrown without an error');
    chain.push(link);
    const { cause, errors } = link as ForeignError;
    next = cause ?? errors?.[0];
  } while (next !== undefined && next !== null && !chain.includes(next as Error));
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
    describeConnection(code, error.message.replace(/^Connection error: /, ''), broker) ??
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
    return { kind, retryable, what: fill(text), code: name, hint: hint === undefined ? undefined : fill(hint) };
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
