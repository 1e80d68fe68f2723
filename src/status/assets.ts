// The files the browser gets, as they are in page/: packed once, when the first page is asked for.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Failure } from '../model/failure.ts';
import { type PackedBody, packBody } from './reply.ts';
import { HttpError, type Route } from './server.ts';

interface Asset {
  readonly type: string;
  readonly body: PackedBody;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** `/` and `/assets/…`. */
export function assetRoutes(): Route[] {
  let loading: Promise<ReadonlyMap<string, Asset>> | undefined;
  const asset = async (name: string): Promise<Asset> => {
    loading ??= loadAssets();
    const found = (await loading).get(name);
    if (!found) throw new HttpError(404, `there is no file \`${name}\``);
    return found;
  };
  return [
    { method: 'GET', path: '/', access: 'page', handle: () => asset('index.html') },
    { method: 'GET', path: '/assets/:name', access: 'page', handle: ({ params }) => asset(params.name ?? '') },
  ];
}

async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = pageFolder();
  const names = (await readdir(folder)).filter((name) => extname(name) in TYPES);
  const assets = names.map(async (name): Promise<[string, Asset]> => {
    const body = await packBody(await readFile(new URL(name, folder)));
    return [name, { type: TYPES[extname(name)] ?? '', body }];
  });
  return new Map(await Promise.all(assets));
}

/** Beside the built command, whose parts may lie one folder deeper. */
function pageFolder(): URL {
  for (const place of ['page/', '../page/']) {
    const folder = new URL(place, import.meta.url);
    if (existsSync(folder)) return folder;
  }
  throw new Failure('the files of the page are missing', {
    kind: 'internal',
    hint: 'install pgtally again: its folder `dist/page` is not there',
  });
}
