// deploy/kubernetes against what it names: the files in its ConfigMaps are loaded as a pod would see them, its command line is
// one that the command knows, its probes ask what they should. Names of fields are Kubernetes' own to check.
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testProject } from '../cli/project.ts';
import { freePorts } from '../stack/ports.ts';
import {
  PROBE_PATHS,
  problemsOf,
  readYaml,
  STOP_SECONDS,
  saidWithoutProject,
  temporaryFolder,
  writeFiles,
} from './deployment.ts';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly args: readonly string[];
  readonly env: readonly { name: string; valueFrom: { secretKeyRef: { name: string; key: string } } }[];
  readonly ports: readonly { name: string; containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { requests: Record<string, string>; limits: Record<string, string> };
  readonly securityContext: Record<string, unknown>;
  readonly volumeMounts: readonly { name: string; mountPath: string; readOnly: boolean }[];
}
interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Record<string, unknown>;
  readonly topologySpreadConstraints: readonly { labelSelector: Selector }[];
  readonly containers: readonly [Container];
  readonly volumes: readonly {
    name: string;
    configMap?: { name: string };
    secret?: { secretName: string; items: readonly { key: string; path: string }[] };
  }[];
}
interface Selector {
  readonly matchLabels: Record<string, string>;
}
interface Item {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
  readonly data?: Record<string, string>;
  readonly stringData?: Record<string, string>;
  readonly spec?: unknown;
}
interface DeploymentSpec {
  readonly replicas: number;
  readonly selector: Selector;
  readonly template: { metadata: { labels: Record<string, string>; annotations: Record<string, string> }; spec: Pod };
}
interface ServiceSpec {
  readonly selector: Record<string, string>;
  readonly ports: readonly { targetPort: string }[];
}

const items = ['pgtally.yaml', 'secret.yaml'].flatMap((file) => readYaml<Item>(`deploy/kubernetes/${file}`));
const deployment = find('Deployment', 'pgtally').spec as DeploymentSpec;
const pod = deployment.template.spec;
const [container] = pod.containers;

test('the kinds that are there', () => {
  expect(items.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`)).toEqual([
    'v1 ConfigMap pgtally',
    'v1 ConfigMap pgtally-jobs',
    'apps/v1 Deployment pgtally',
    'v1 Service pgtally',
    'policy/v1 PodDisruptionBudget pgtally',
    'v1 Secret pgtally',
  ]);
});

test('labels and selectors fit together', () => {
  const { labels } = deployment.template.metadata;
  expect(deployment.selector.matchLabels).toEqual(labels);
  expect((find('Service', 'pgtally').spec as ServiceSpec).selector).toEqual(labels);
  const budget = find('PodDisruptionBudget', 'pgtally').spec as { minAvailable: number; selector: Selector };
  expect(budget.selector.matchLabels).toEqual(labels);
  expect(pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels)).toEqual([labels]);
  expect(budget.minAvailable).toBeLessThan(deployment.replicas);
  expect(deployment.replicas).toBe(2);
});

test('a pod has the files that its project names, and they pass check', async () => {
  const folder = temporaryFolder();
  writeFiles(folder, mountedFiles());
  const env = Object.fromEntries(
    container.env.map(({ name, valueFrom: { secretKeyRef } }) => [
      name,
      find('Secret', secretKeyRef.name).stringData?.[secretKeyRef.key],
    ]),
  );
  expect(Object.values(env)).not.toContain(undefined);
  const [, , config = ''] = container.args;
  expect(await problemsOf(folder, env, config)).toEqual([]);
  // Without the Secret the variable is missing, which shows that the file asks for it.
  const without = await problemsOf(folder, {}, config);
  expect(without.map(({ message }) => message)).toContain('the variable `PGTALLY_TOKEN` is not set');
});

test('its command line is one that pgtally knows', async () => {
  const [start, option, config] = container.args;
  expect([start, option]).toEqual(['start', '--config']);
  expect(await saidWithoutProject(container.args)).toContain(`cannot read \`${config}\``);
});

test('probes ask what they should, where the status page listens', () => {
  const { startupProbe, livenessProbe, readinessProbe, ports } = container;
  expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
    '/healthz',
    '/healthz',
    '/readyz',
  ]);
  for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
    expect(PROBE_PATHS).toContain(httpGet.path);
    expect(httpGet.port).toBe(ports[0]?.name);
  }
  const listen = /^ +listen: (\S+)$/m.exec(mountedFiles()['config/pgtally.yaml'] ?? '')?.[1];
  expect(listen).toBe(`0.0.0.0:${ports[0]?.containerPort}`);
  const service = find('Service', 'pgtally').spec as ServiceSpec;
  expect(service.ports.map(({ targetPort }) => targetPort)).toEqual([ports[0]?.name]);
  expect(deployment.template.metadata.annotations).toMatchObject({
    'prometheus.io/port': String(ports[0]?.containerPort),
    'prometheus.io/path': '/metrics',
  });
});

test('the daemon answers every path that is probed or scraped, under any name and without the token', {
  timeout: 60_000,
}, async () => {
  const [port = 0] = await freePorts(1);
  const project = await testProject({
    jobs: { 'one.yaml': 'query: select 1 as one\nschedule: "@yearly"\ntopic: ONE\n' },
    settings: `status: {listen: "0.0.0.0:${port}", token: canary}\n`,
  });
  const daemon = project.start('start', '--log', 'json');
  await daemon.waitFor(/"msg":"started"/, 30_000);
  for (const asked of PROBE_PATHS) {
    // As the kubelet asks: by the pod's address.
    const { status } = await fetch(`http://127.0.0.1:${port}${asked}`, { headers: { host: '10.42.0.7:8087' } });
    expect([asked, status]).toEqual([asked, asked === '/readyz' ? expect.toBeOneOf([200, 503]) : 200]);
  }
  await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status, { timeout: 20_000 }).toBe(200);
  expect((await daemon.stop()).code).toBe(0);
});

test('it has time to stop, no rights that it does not need, and a limit of memory', () => {
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(STOP_SECONDS);
  expect(pod.automountServiceAccountToken).toBe(false);
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  expect(container.volumeMounts.every(({ readOnly }) => readOnly)).toBe(true);
  expect(container.resources.limits.memory).toMatch(/^\d+Mi$/);
});

test('a changed ConfigMap is loaded, as Kubernetes puts it in place', { timeout: 60_000 }, async () => {
  const job = (topic: string): string => `query: select 1 as one\nschedule: "@yearly"\ntopic: ${topic}\n`;
  const project = await testProject({ jobs: {} });
  const mount = (version: string, files: Readonly<Record<string, string>>): void => {
    // A volume of a ConfigMap: each name is a link through `..data`, which is itself replaced by a rename.
    const jobs = path.join(project.folder, 'jobs');
    writeFiles(path.join(jobs, version), files);
    symlinkSync(version, path.join(jobs, '..data_tmp'));
    renameSync(path.join(jobs, '..data_tmp'), path.join(jobs, '..data'));
  };
  mkdirSync(path.join(project.folder, 'jobs'));
  mount('..2026_01', { 'one.yaml': job('ONE') });
  symlinkSync(path.join('..data', 'one.yaml'), path.join(project.folder, 'jobs', 'one.yaml'));
  const daemon = project.start('start', '--log', 'json');
  await daemon.waitFor(/"msg":"started"/, 30_000);
  mount('..2026_02', { 'one.yaml': 'query: selec\n' });
  await daemon.waitFor(/going on with the old ones/, 20_000);
  mount('..2026_03', { 'one.yaml': job('TWO') });
  await daemon.waitFor(/"msg":"reloaded"/, 20_000);
  expect((await daemon.stop()).code).toBe(0);
});

/** What a pod sees below /project, by the mounts and volumes of the Deployment. */
function mountedFiles(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, mountPath } of container.volumeMounts) {
    const folder = path.posix.relative('/project', mountPath);
    const volume = pod.volumes.find((one) => one.name === name);
    const keys = volume?.secret?.items.map((item) => [
      item.path,
      find('Secret', volume.secret?.secretName).stringData?.[item.key],
    ]);
    const entries = keys ?? Object.entries(find('ConfigMap', volume?.configMap?.name).data ?? {});
    for (const [file, text] of entries) files[`${folder}/${file}`] = text ?? '';
  }
  expect(Object.values(files)).not.toContain('');
  return files;
}

function find(kind: string, name: string | undefined): Item {
  const found = items.find((item) => item.kind === kind && item.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} \`${name}\``);
  return found;
}
