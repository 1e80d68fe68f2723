// The runs under way in one shard: they keep it from being handed over, and each remembers the state it was decided by. Pure.

export interface RunHolds {
  /** Marks a run under way that was decided by `basis`; its result ends the mark, once. */
  begin(stateKey: string, basis: string | undefined): () => void;
  /** What the run under way was decided by; undefined when none is. */
  basisOf(stateKey: string): { readonly text: string | undefined } | undefined;
  /** The run under way committed this itself: from here on it decides by it. */
  committed(stateKey: string, text: string | null): void;
  readonly count: number;
  /** A hand-over is wanted: the runs under way now are its elders. */
  markElders(): void;
  unmarkElders(): void;
  /** While an elder is under way the shard is not handed over anyway, so that others may still begin beside it. */
  readonly hasElders: boolean;
}

interface Hold {
  count: number;
  text: string | undefined;
}

export function createRunHolds(): RunHolds {
  const holds = new Map<string, Hold>();
  let elders = new Set<Hold>();
  return {
    begin(stateKey, basis) {
      const hold = holds.get(stateKey) ?? { count: 0, text: basis };
      hold.count++;
      holds.set(stateKey, hold);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        if (--hold.count > 0) return;
        holds.delete(stateKey);
        elders.delete(hold);
      };
    },
    basisOf: (stateKey) => holds.get(stateKey),
    committed(stateKey, text) {
      const hold = holds.get(stateKey);
      if (hold) hold.text = text ?? undefined;
    },
    get count() {
      return holds.size;
    },
    markElders() {
      elders = new Set(holds.values());
    },
    unmarkElders() {
      elders.clear();
    },
    get hasElders() {
      return elders.size > 0;
    },
  };
}
