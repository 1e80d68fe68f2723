// A failure whose place in the job's file is known.
import { Failure } from '../model/failure.ts';
import type { SourcePlace } from '../sql/compiled-part.ts';

export class PlacedFailure extends Failure {
  readonly place: SourcePlace;

  constructor(failure: Failure, place: SourcePlace) {
    const { kind, retryable, hint, code, position } = failure;
    super(failure.message, {
      kind,
      retryable,
      cause: failure,
      ...(hint === undefined ? {} : { hint }),
      ...(code === undefined ? {} : { code }),
      ...(position === undefined ? {} : { position }),
    });
    this.place = place;
  }
}

/** The place that comes with a failure, if one does. */
export function placeOf(failure: Failure): SourcePlace | undefined {
  return failure instanceof PlacedFailure ? failure.place : undefined;
}
