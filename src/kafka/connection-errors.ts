// What keeps a connection to a broker from being made or kept: errors of Node's net, dns and tls by their codes, in words, with
// what to do. errors.ts asks here first; codes of the Kafka protocol are not here.
import type { FailureKind } from '../model/failure.ts';

/** What was found out about an error, before it becomes a Failure. */
export interface Finding {
  readonly kind: FailureKind;
  readonly retryable: boolean;
  /** A clause that names the broker. */
  readonly what: string;
  readonly code: string;
  readonly hint?: string | undefined;
}

export const CHECK_BROKERS =
  'check that Kafka runs and that `kafka.brokers` in pgtally.yaml names its address and port';

/** An error with this `code` and `message` at `broker` (`host:port`); undefined when it is none of a connection. */
export function describeConnection(code: string, message: string, broker: string): Finding | undefined {
  return describeTls(code, message, broker) ?? describeNetwork(code, message, broker);
}

/** Of an error that security.ts raises for a file it cannot read; the message is made there. */
export const TLS_FILE = 'ERR_TLS_FILE';

const CHECK_CA = "set `kafka.tls.ca` to the file of the authority that signed the broker's certificate";
const NO_TLS = 'use the port of a TLS listener, or remove `kafka.tls`';
const UNKNOWN_AUTHORITY = { text: 'the certificate of {broker} is signed by an unknown authority', hint: CHECK_CA };
const NOT_TLS = { text: '{broker} does not speak TLS', hint: NO_TLS };

const TLS_PROBLEMS: Readonly<Record<string, { readonly text: string; readonly hint: string }>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: { text: 'the certificate of {broker} is self-signed', hint: CHECK_CA },
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: { text: 'the certificate of {broker} has expired', hint: 'renew it on the broker' },
  CERT_NOT_YET_VALID: {
    text: 'the certificate of {broker} is not valid yet',
    hint: "compare this machine's clock with the certificate's dates",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    text: 'the certificate of {broker} is for another name',
    hint: 'connect by a name the certificate holds, or set `kafka.tls.server_name` to one',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
};

function describeTls(code: string, message: string, broker: string): Finding | undefined {
  const found = (text: string, hint: string): Finding => ({
    kind: 'tls',
    retryable: false,
    what: text.replace('{broker}', broker),
    code,
    hint,
  });
  if (code === TLS_FILE) return found(message.replace(/^kafka: /, ''), CHECK_FILES);
  const known = TLS_PROBLEMS[code];
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && known) {
    return found(`${known.text} (${message.replace(/^.*altnames: /, '').replace(/\.$/, '')})`, known.hint);
  }
  if (known) return found(known.text, known.hint);
  if (!/^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|CRL_|HOSTNAME_|INVALID_CA|EPROTO$)/.test(code)) return undefined;
  // OpenSSL: "40F7D0A6:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../rec_layer_s3.c:1590:…"
  const reason = /:error:[^:]*:[^:]*:[^:]*:([^:]+)/.exec(message)?.[1] ?? message;
  if (code.startsWith('ERR_OSSL_'))
    return found(`a TLS file for {broker} is not in PEM form or does not fit the others: ${reason}`, CHECK_FILES);
  const wantsCertificate = /alert.*(certificate|unknown ca|handshake failure)/i.test(reason);
  return found(`TLS with {broker} failed: ${reason}`, wantsCertificate ? WANTS_CERTIFICATE : CHECK_FILES);
}

const WANTS_CERTIFICATE =
  'the broker wants a client certificate that it trusts: set `kafka.tls.cert` and `kafka.tls.key`';
const CHECK_FILES = 'check the files under `kafka.tls` in pgtally.yaml';

const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused by {broker}',
  ECONNRESET: 'connection closed by {broker}',
  EPIPE: 'connection closed by {broker}',
  ECLOSED: 'the connection to {broker} was closed by pgtally',
  ENOTFOUND: 'the host of {broker} is unknown',
  EAI_AGAIN: 'the host of {broker} cannot be looked up now',
  ETIMEDOUT: 'connecting to {broker} timed out',
  EHOSTUNREACH: 'no route to {broker}',
  ENETUNREACH: 'no route to {broker}',
};

function describeNetwork(code: string, message: string, broker: string): Finding | undefined {
  const text = NETWORK_PROBLEMS[code];
  if (text === undefined) return undefined;
  const inHandshake = message.includes('before secure TLS connection was established');
  const hint = inHandshake ? `if it happens each time, ${NO_TLS}` : CHECK_BROKERS;
  const what = inHandshake ? `${text} before TLS was agreed` : text;
  return { kind: 'kafka', retryable: true, what: what.replace('{broker}', broker), code, hint };
}
