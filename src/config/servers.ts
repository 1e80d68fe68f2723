// From the entries under `servers` to targets: included files, ranges, databases. Passwords and TLS are
// server-access.ts's.
import { dirname } from 'node:path';
import type { Server } from '../model/project.ts';
import type { Located, SourceFile } from '../model/source.ts';
import type { ValueOf } from './field.ts';
import { type include, type server, serverList } from './fields/server.ts';
import { readSource } from './files.ts';
import { formats } from './formats.ts';
import { formatPlace } from './frame.ts';
import { findFiles } from './glob.ts';
import { type Problems, placeOf, show, showList } from './problems.ts';
import { type Binding, countBindings, expandRanges, fill, MAX_SERVERS_A_RANGE, variablesIn } from './ranges.ts';
import { readValue } from './read.ts';
import {
  type AccessDefaults,
  checkPasswords,
  passwordOf,
  readAccessDefaults,
  type ServerFields,
  tlsOf,
} from './server-access.ts';
import { parseServerUrl, type ServerUrl } from './server-url.ts';
import type { Environment } from './variables.ts';
import { parseYaml } from './yaml-document.ts';

export interface ServerContext {
  /** The folder of pgtally.yaml. */
  readonly folder: string;
  readonly cwd: string;
  readonly env: Environment;
  readonly problems: Problems;
}

export interface LoadedServers {
  /** Whether every entry and file was right. */
  readonly complete: boolean;
  readonly servers: readonly Server[];
  /** Absolute paths of the included files, and of the folders searched for them. */
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

type ServerDraft = Located<ServerFields>;
type ServerEntry = ValueOf<{ type: 'either'; of: { server: typeof server; include: typeof include } }>;

/** The targets of all entries in their order. What is wrong is reported; the servers that are right are returned. */
export function loadServers(entries: readonly ServerEntry[], context: ServerContext): LoadedServers {
  const before = context.problems.errors();
  const servers: Server[] = [];
  const files = new Set<string>();
  const folders = new Set<string>();
  const declared = new Map<string, Located<string>>();
  const defaults = readAccessDefaults(context.env, context.cwd, context.problems);
  const add = (draft: ServerDraft, folder: string): void => {
    servers.push(...targetsOf(draft.value, { ...context, folder, declared, defaults }));
  };
  for (const entry of entries) {
    if (entry.as === 'server') add(entry.value, context.folder);
    else {
      const found = readIncluded(entry.value.value.include, context);
      for (const file of found.files) files.add(file);
      for (const folder of found.folders) folders.add(folder);
      for (const { draft, folder } of found.drafts) add(draft, folder);
    }
  }
  return { complete: context.problems.errors() === before, servers, files: [...files], folders: [...folders] };
}

interface TargetContext extends ServerContext {
  readonly declared: Map<string, Located<string>>;
  readonly defaults: AccessDefaults;
}

function readIncluded(
  pattern: Located<string> | undefined,
  context: ServerContext,
): { files: readonly string[]; folders: readonly string[]; drafts: { draft: ServerDraft; folder: string }[] } {
  if (!pattern) return { files: [], folders: [], drafts: [] };
  const { problems, cwd, env } = context;
  const { files, folders } = findFiles(context.folder, pattern.value);
  if (files.length === 0) {
    problems.warning(
      `no file matches ${show(pattern.value, pattern)}`,
      pattern,
      'the path starts at the folder of pgtally.yaml',
    );
  }
  const drafts = files.flatMap((path) => {
    const file = readSource(path, { cwd, holdsSecrets: true }, problems, pattern);
    if (!file) return [];
    return readServerFile(file, problems, env).map((draft) => ({ draft, folder: dirname(path) }));
  });
  return { files, folders, drafts };
}

function readServerFile(file: SourceFile, problems: Problems, env: Environment): readonly ServerDraft[] {
  const [root, second] = parseYaml(file, { variables: true }, problems);
  if (second) problems.error('a server file holds one document', second, 'put all servers into one list');
  if (!root) return [];
  if (root.kind === 'list')
    return readValue(serverList, root, () => 'the file', { problems, variables: env })?.value ?? [];
  problems.error('a server file is a list of servers', root, 'begin each with `- name: …`');
  return [];
}

/** The targets of one declaration: one for each number of its ranges and each of its databases. */
function targetsOf(draft: ServerFields, context: TargetContext): Server[] {
  const { problems } = context;
  const { name, url } = draft;
  const before = problems.errors();
  if (draft.for && problems.hasErrorIn(draft.for)) return [];
  const ranges = draft.for?.value ?? [];
  checkRangeVariables(draft, context);
  if (countBindings(ranges) > MAX_SERVERS_A_RANGE && draft.for) {
    problems.error(`\`for\` makes ${countBindings(ranges)} servers, more than ${MAX_SERVERS_A_RANGE}`, draft.for);
  }
  if (problems.errors() > before || !name || !url) return [];
  const servers: Server[] = [];
  for (const binding of expandRanges(ranges)) {
    const target = targetOf(draft, { ...context, name, url, binding });
    if (target === undefined) return [];
    servers.push(...target);
  }
  return servers;
}

interface BindingContext extends TargetContext {
  readonly name: Located<string>;
  readonly url: Located<string>;
  readonly binding: Binding;
}

/** The targets of one server, or undefined when something is wrong: then the rest of its range is wrong the same way. */
function targetOf(draft: ServerFields, context: BindingContext): Server[] | undefined {
  const { problems, name, url, binding, declared, folder, defaults } = context;
  const serverName = fill(name.value, binding);
  if (!new RegExp(formats.name.pattern).test(serverName)) {
    problems.error(`${show(serverName, name)} is not ${formats.name.expects}`, name);
    return undefined;
  }
  const first = declared.get(serverName);
  if (first) {
    const hint = `the other one is at ${formatPlace(first.file, first.span.start)}`;
    problems.error(`two servers are named \`${serverName}\``, name, hint);
    return undefined;
  }
  declared.set(serverName, name);
  const parsed = parseServerUrl(fill(url.value, binding));
  if ('message' in parsed) {
    const which = draft.for ? ` (of \`${serverName}\`)` : '';
    problems.error(`${parsed.message}${which}`, url, parsed.hint);
    return undefined;
  }
  const databases = databasesOf(draft, parsed, context);
  checkPasswords(draft, url, parsed, problems);
  const tls = tlsOf(draft, url, parsed, folder, defaults, problems);
  if (!databases || !tls) return undefined;
  const secret = passwordOf(draft, parsed, folder, defaults);
  const labels = Object.fromEntries(
    (draft.labels?.value ?? []).map((label) => [label.name.value, fill(label.value.value, binding)]),
  );
  return databases.map((database) => {
    const target = draft.databases ? `${serverName}/${database}` : serverName;
    const { host, port, user, parameters } = parsed;
    const where = { value: target, ...placeOf(name) };
    return { name: target, host, port, user, database, ...secret, parameters, tls, labels, declared: where };
  });
}

function checkRangeVariables(draft: ServerFields, { problems }: ServerContext): void {
  const known = (draft.for?.value ?? []).map(({ name }) => name.value);
  const texts = [
    draft.name,
    ...(draft.databases?.value ?? []),
    ...(draft.labels?.value ?? []).map(({ value }) => value),
  ];
  const hint =
    known.length > 0
      ? `\`for\` has ${showList(known.map((name) => `{${name}}`))}`
      : 'give it a range: `for: {n: 1..200}`';
  for (const text of texts) {
    const unknown = variablesIn(text?.value ?? '').find((name) => !known.includes(name));
    if (text && unknown !== undefined) problems.error(`\`{${unknown}}\` is no variable of \`for\``, text, hint);
  }
  // Without its name: in a URL it might be part of a password.
  if (draft.url && variablesIn(draft.url.value).some((name) => !known.includes(name))) {
    problems.error('`url` has a `{…}` that is no variable of `for`', draft.url, hint);
  }
  if (!draft.name) return;
  const used = variablesIn(draft.name.value);
  for (const { name } of draft.for?.value ?? []) {
    if (used.includes(name.value)) continue;
    const place = placeOf(name);
    problems.error(`\`name\` lacks \`{${name.value}}\`, so several servers would have one name`, place);
  }
}

function databasesOf(draft: ServerFields, parsed: ServerUrl, context: BindingContext): string[] | undefined {
  const { problems, url, binding } = context;
  if (!draft.databases) {
    if (parsed.database !== undefined) return [parsed.database];
    problems.error('`url` names no database', url, 'end it with `/app`, or list `databases`');
    return undefined;
  }
  const names = draft.databases.value.map((database) => fill(database.value, binding));
  const twice = draft.databases.value.find((_, i) => names.indexOf(names[i] ?? '') !== i);
  if (!twice) return names;
  problems.error(`${show(twice.value, twice)} is listed twice`, twice);
  return undefined;
}
