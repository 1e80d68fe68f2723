// Which of the configured brokers a new connection begins with: one that has not failed lately. kafkajs begins each producer
// with the first of its list, so that one frozen broker, named first, would keep every new producer waiting.

export interface Seeds {
  /** The broker whose last failure is longest ago; of those that never failed, the first. */
  next(): string;
  /** It refused, closed or never answered. Ignored for addresses that are not configured. */
  failed(broker: string): void;
  answered(broker: string): void;
}

/** `brokers` as `host:port`, in the order of the configuration. */
export function createSeeds(brokers: readonly string[]): Seeds {
  /** In the order in which they are to be tried; a failure sends a broker to the end. */
  const order = [...brokers];
  const failing = new Set<string>();
  const move = (broker: string, at: number): void => {
    const from = order.indexOf(broker);
    if (from < 0) return;
    order.splice(from, 1);
    order.splice(at, 0, broker);
  };
  return {
    next: () => order[0] ?? '',
    failed: (broker) => {
      if (order.includes(broker)) failing.add(broker);
      move(broker, order.length);
    },
    answered: (broker) => {
      if (!failing.delete(broker)) return;
      // Back among those that do not fail, in the order of the configuration.
      const before = new Set(brokers.slice(0, brokers.indexOf(broker)));
      const at = order.findLastIndex((other) => before.has(other) && !failing.has(other));
      order.splice(order.indexOf(broker), 1);
      order.splice(at + 1, 0, broker);
    },
  };
}
