// Prometheus' text format (exposition format 0.0.4) as the tests read it.

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
}

export interface Exposition {
  readonly families: ReadonlyMap<string, Family>;
  readonly series: readonly Series[];
  /** The one series of that name with (at least) these labels; undefined when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

/** Throws on a line that is none of the format. */
export function parseMetrics(text: string): Exposition {
  const helps = new Map<string, string>();
  const families = new Map<string, Family>();
  const series: Series[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const meta = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (meta) {
      const [, word, name = '', rest = ''] = meta;
      if (word === 'HELP') helps.set(name, rest);
      else families.set(name, { type: rest, help: helps.get(name) ?? '' });
      continue;
    }
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) throw new Error(`not a line of the format: ${line}`);
    const labels = [...(match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)];
    series.push({
      name: match[1] ?? '',
      labels: Object.fromEntries(labels.map(([, name, value]) => [name, value])),
      value: Number(match[3]),
    });
  }
  return {
    families,
    series,
    value(name, wanted = {}) {
      const found = series.filter(
        (one) => one.name === name && Object.entries(wanted).every(([label, value]) => one.labels[label] === value),
      );
      if (found.length > 1) throw new Error(`${found.length} series ${name} ${JSON.stringify(wanted)}`);
      return found[0]?.value;
    },
  };
}
