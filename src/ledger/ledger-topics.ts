// The three topics a ledger lives in. Their names, and what they must be like; reading and writing them is elsewhere.

export interface LedgerTopicNames {
  readonly ledger: string;
  readonly history: string;
  readonly replicas: string;
}

export function ledgerTopicNames(ledger: string): LedgerTopicNames {
  return { ledger, history: `${ledger}.history`, replicas: `${ledger}.replicas` };
}
