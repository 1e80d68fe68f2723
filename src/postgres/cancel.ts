// The CancelRequest of the protocol (Postgres documentation, 55.2.8): a connection of its own, through TLS where the
// server's settings say so, that names the backend and its secret. postgres.js sends none during a COPY.
import type { Server } from '../model/project.ts';
import type { Milliseconds } from '../model/units.ts';
import { lateConnection } from './classify.ts';
import { nextEvent, startDeadline } from './deadline.ts';
import { openTransport } from './transport.ts';

/**
 * Asks the server to cancel what a backend is doing; resolves when the server has closed the request, which is after
 * the signal is sent. The server says nothing about its effect. `address` is where the backend's connection goes, since
 * the host's name may lead to another machine by now. Rejects when the server cannot be reached within `limit`.
 */
export async function requestCancel(
  server: Server,
  address: string | undefined,
  backend: { readonly pid: number; readonly secret: number },
  limit: Milliseconds,
): Promise<void> {
  const deadline = startDeadline(limit, undefined, () => lateConnection(server, limit));
  try {
    const transport = await openTransport(server, deadline.signal, address);
    try {
      transport.write(cancelMessage(backend));
      transport.resume();
      await nextEvent(transport, 'end', deadline.signal);
    } finally {
      transport.on('error', () => {}).destroy();
    }
  } finally {
    deadline.end();
  }
}

function cancelMessage(backend: { readonly pid: number; readonly secret: number }): Buffer {
  const message = Buffer.alloc(16);
  message.writeUInt32BE(16, 0);
  message.writeUInt32BE(80877102, 4);
  message.writeUInt32BE(backend.pid, 8);
  message.writeUInt32BE(backend.secret, 12);
  return message;
}
