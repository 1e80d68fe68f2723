// How the ledger's shards are shared, as this replica sees it.
import type { OperationsLedger } from './operations.ts';

export interface ShardOwners {
  readonly owned: number;
  /** Nobody's, or of a replica that is not heard any more: their jobs do not run. */
  readonly unowned: number;
  readonly total: number;
}

/** `total`: as configured, for before the ledger was joined. */
export function shardOwners(ledger: OperationsLedger | undefined, total: number): ShardOwners {
  if (!ledger) return { owned: 0, unowned: total, total };
  const heard = new Set(ledger.replicas().flatMap(({ replica, heard }) => (heard ? [replica] : [])));
  const shards = ledger.shards();
  return {
    owned: shards.filter(({ status }) => status === 'owned').length,
    unowned: shards.filter(({ owner }) => owner === undefined || !heard.has(owner)).length,
    total: shards.length,
  };
}
