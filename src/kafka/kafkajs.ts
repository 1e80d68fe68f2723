// The only place that loads kafkajs: lazily (52 ms), in exactly the version whose inside we know, as a copy of our own with
// the corrections of corrections.ts in place. Nothing else in src imports kafkajs but for types.
import { Failure } from '../model/failure.ts';
import { checkCorrections, installCorrections } from './corrections.ts';
import { type KafkajsModules, openKafkajsModules } from './kafkajs-modules.ts';
import type { KafkajsInternals, KafkajsLibrary } from './kafkajs-types.ts';

const REQUIRED_VERSION = '2.2.4';

export interface Kafkajs {
  /** `require('kafkajs')`. */
  readonly library: typeof KafkajsLibrary;
  readonly internals: KafkajsInternals;
}

let loaded: Kafkajs | undefined;

/**
 * kafkajs 2.2.4, corrected and self-tested; loaded by the first call, the same object ever after.
 * Throws a Failure (`configuration`) for another version, (`internal`) when a correction does not take.
 */
export function loadKafkajs(): Kafkajs {
  loaded ??= loadCorrected(openKafkajsModules());
  return loaded;
}

/** Throws unless `version` is the one the corrections were written for. */
export function checkVersion(version: string): void {
  if (version === REQUIRED_VERSION) return;
  throw new Failure(`kafkajs ${version} is installed, but pgtally works with exactly ${REQUIRED_VERSION}`, {
    kind: 'configuration',
    hint: `run \`npm install kafkajs@${REQUIRED_VERSION} --save-exact\` where pgtally is installed: it corrects defects inside that version`,
  });
}

function loadCorrected(require: KafkajsModules): Kafkajs {
  checkVersion((require('kafkajs/package.json') as { version: string }).version);
  installCorrections(require);
  const library = require('kafkajs') as typeof KafkajsLibrary;
  const internals: KafkajsInternals = {
    Connection: require('kafkajs/src/network/connection'),
    Encoder: require('kafkajs/src/protocol/encoder'),
    Decoder: require('kafkajs/src/protocol/decoder'),
    requests: require('kafkajs/src/protocol/requests').requests,
    createLogger: require('kafkajs/src/loggers').createLogger,
    createErrorFromCode: require('kafkajs/src/protocol/error').createErrorFromCode,
    mechanisms: {
      plain: require('kafkajs/src/broker/saslAuthenticator/plain'),
      scram256: require('kafkajs/src/broker/saslAuthenticator/scram256'),
      scram512: require('kafkajs/src/broker/saslAuthenticator/scram512'),
    },
  };
  checkCorrections(require);
  return { library, internals };
}
