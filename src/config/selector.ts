// Which servers a job's `servers` means. A selector that means none is a problem, with what there is to choose from.
import type { Selector, Server } from '../model/project.ts';
import type { ValueOf } from './field.ts';
import type { publishFields } from './fields/job.ts';
import { isGlob, matchesServer } from './glob.ts';
import { type Place, type Problems, show, showList } from './problems.ts';
import { nearest } from './suggest.ts';

export type WrittenSelector = ValueOf<(typeof publishFields)['servers']> | undefined;

/** A job's `servers` as the model has it. */
export function selectorOf(written: WrittenSelector): Selector {
  if (!written) return { all: true };
  if (written.as === 'name') return { names: [written.value] };
  if (written.as === 'names') return { names: written.value.value };
  const labels = written.value.value.map(({ name, value }) => ({
    label: name,
    values: value.as === 'one' ? [value.value.value] : value.value.value.map((item) => item.value),
  }));
  return { labels };
}

/** The servers a selector means, in their order. Does not report anything. */
export function selectServers(selector: Selector, servers: readonly Server[]): readonly Server[] {
  if ('all' in selector) return servers;
  if ('labels' in selector) {
    return servers.filter(({ labels }) =>
      selector.labels.every(({ label, values }) => {
        const own = Object.hasOwn(labels, label.value) ? labels[label.value] : undefined;
        return own !== undefined && values.includes(own);
      }),
    );
  }
  return servers.filter(({ name }) => selector.names.some((pattern) => matchesServer(pattern.value, name)));
}

/** Reports each part of a selector that means no server. `place` is the job's, for a job without a selector. */
export function checkSelector(selector: Selector, servers: readonly Server[], place: Place, problems: Problems): void {
  if (servers.length === 0) {
    problems.error('there is no server to run on', place, 'list servers under `servers` in pgtally.yaml');
  } else if ('names' in selector) {
    for (const pattern of selector.names) {
      if (servers.some(({ name }) => matchesServer(pattern.value, name))) continue;
      problems.error(`no server matches ${show(pattern.value, pattern)}`, pattern, nameHint(pattern.value, servers));
    }
  } else if ('labels' in selector && selectServers(selector, servers).length === 0) {
    checkLabels(selector, servers, problems);
  }
}

function nameHint(pattern: string, servers: readonly Server[]): string {
  const names = [...new Set(servers.flatMap(({ name }) => [name.split('/')[0] ?? name, name]))];
  const best = isGlob(pattern) ? undefined : nearest(pattern, names);
  return best === undefined
    ? `the servers are ${showList(servers.map(({ name }) => name))}`
    : `did you mean \`${best}\`?`;
}

function checkLabels(
  { labels }: Extract<Selector, { labels: unknown }>,
  servers: readonly Server[],
  problems: Problems,
): void {
  let found = false;
  for (const { label, values } of labels) {
    const used = new Set(
      servers.flatMap((server) => (Object.hasOwn(server.labels, label.value) ? server.labels[label.value] : []) ?? []),
    );
    if (used.size === 0) {
      problems.error(`no server has a label ${show(label.value, label)}`, label, labelHint(label.value, servers));
      found = true;
    } else if (!values.some((value) => used.has(value))) {
      const pair = values.map((value) => show(`${label.value}: ${value}`)).join(' or ');
      problems.error(
        `no server has the label ${pair}`,
        label,
        `the values of \`${label.value}\` are ${showList([...used])}`,
      );
      found = true;
    }
  }
  const first = labels[0];
  if (found || !first) return;
  const all = labels.map(({ label }) => label.value);
  problems.error(
    `no server has all of these labels`,
    first.label,
    `each of ${showList(all)} is on some server, but all of them on none`,
  );
}

function labelHint(label: string, servers: readonly Server[]): string {
  const names = [...new Set(servers.flatMap((server) => Object.keys(server.labels)))];
  if (names.length === 0) return 'no server has any label: give them `labels` in pgtally.yaml';
  const best = nearest(label, names);
  return best === undefined ? `the labels are ${showList(names)}` : `did you mean \`${best}\`?`;
}
