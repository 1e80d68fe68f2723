// Server-sent events (WHATWG HTML, 9.2) to one page: compressed, kept alive, and ended when the page does not read them.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { constants, createGzip, type Gzip } from 'node:zlib';
import type { Bytes, Milliseconds } from '../model/units.ts';
import type { Live } from './live.ts';
import { eventStreamHeaders, type Stream, takesGzip } from './reply.ts';

/** Proxies end a silent connection, most after 60 s. */
const KEEP_ALIVE: Milliseconds = 15_000;
/** A page that is so far behind is told to begin anew: it reconnects. */
const FARTHEST_BEHIND: Bytes = 4 * 1024 ** 2;
/** Small, because each open page has one (zlib takes 2^(windowBits+2) + 2^(memLevel+9) bytes). */
const GZIP = { windowBits: 14, memLevel: 7, flush: constants.Z_SYNC_FLUSH };

/** The events of `live` for as long as the page stays. */
export function streamEvents(live: Live): Stream {
  return {
    stream(request, response) {
      const gzip: Gzip | undefined = takesGzip(request) ? createGzip(GZIP) : undefined;
      response.writeHead(200, eventStreamHeaders(gzip !== undefined));
      const out: Writable = gzip ?? response;
      gzip?.pipe(response);
      const write = (text: string): void => {
        if (out.destroyed) return;
        out.write(text);
        if (out.writableLength + response.writableLength > FARTHEST_BEHIND) response.destroy();
      };
      const detach = live.attach((event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
      const keepAlive = setInterval(() => write(':\n\n'), KEEP_ALIVE);
      keepAlive.unref();
      void once(response, 'close').then(() => {
        clearInterval(keepAlive);
        detach();
        gzip?.destroy();
      });
    },
  };
}
