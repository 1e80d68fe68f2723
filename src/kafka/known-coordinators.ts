// Which broker coordinates a transactional id, asked once and not twice a transaction, as kafkajs does. It is asked anew once
// a coordinator has refused or lost a request.

/** The functions of kafkajs's Cluster and Broker that are used here. */
export interface AsksCoordinator {
  findGroupCoordinatorMetadata: (this: AsksCoordinator, asked: Asked) => Promise<unknown>;
}

interface Asked {
  readonly groupId: string;
  /** 0: of a group, 1: of a transactional id (FindCoordinator, KIP-98). */
  readonly coordinatorType: number;
}

type Request = (asked: unknown) => Promise<unknown>;

export interface IsCoordinator {
  initProducerId: Request;
  addPartitionsToTxn: Request;
  endTxn: Request;
}

const TRANSACTION = 1;

/** How often a coordinator did not do what it was asked, for any reason; what was known before may be wrong. */
let failures = 0;

/** Put in place of `Cluster.prototype.findGroupCoordinatorMetadata`. */
export function askedOnce(
  ask: AsksCoordinator['findGroupCoordinatorMetadata'],
): AsksCoordinator['findGroupCoordinatorMetadata'] {
  const known = new WeakMap<
    object,
    { readonly groupId: string; readonly failures: number; readonly answer: unknown }
  >();
  return async function (this: object, asked) {
    if (asked.coordinatorType !== TRANSACTION) return ask.call(this as AsksCoordinator, asked);
    const last = known.get(this);
    if (last?.groupId === asked.groupId && last.failures === failures) return last.answer;
    const before = failures;
    const answer = await ask.call(this as AsksCoordinator, asked);
    known.set(this, { groupId: asked.groupId, failures: before, answer });
    return answer;
  };
}

/** Put in place of each function of IsCoordinator in `Broker.prototype`. */
export function countingFailures(request: Request): Request {
  return async function (this: unknown, asked) {
    try {
      return await request.call(this, asked);
    } catch (error) {
      // The right coordinator says that, between any two transactions that follow each other closely.
      if ((error as { type?: unknown }).type !== 'CONCURRENT_TRANSACTIONS') failures++;
      throw error;
    }
  };
}
