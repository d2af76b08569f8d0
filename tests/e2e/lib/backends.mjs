// Backends behind portero: an HTTP server with a handler, or a bare socket server that says
// exactly the bytes a test wants. Both end with the test.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

async function listen(t, server, where) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(where ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const stop = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  t.after(stop);
  const { port } = server.address();
  return { server, sockets, port, address: where ?? `127.0.0.1:${port}`, stop };
}

// An HTTP/1.1 backend. Without a handler it answers what it was asked, as JSON.
// `where`: a unix socket's path instead of a free port.
export async function backend(t, handler = echo, { where, server } = {}) {
  const requests = [];
  const http1 = server ?? http.createServer({ keepAliveTimeout: 60_000 });
  http1.on('request', (request, response) => {
    requests.push(request);
    // A client that leaves in the middle of its request is the edge's affair, not the backend's.
    Promise.resolve(handler(request, response)).catch(() => response.destroy());
  });
  return { requests, ...(await listen(t, http1, where)) };
}

// A socket server; `onSocket(socket, number)` is told how many sockets there were before.
export async function rawBackend(t, onSocket) {
  let count = 0;
  return listen(t, net.createServer((socket) => onSocket(socket, count++)));
}

async function echo(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({
    method: request.method,
    url: request.url,
    headers: request.headers,
    trailers: request.trailers,
    length: body.length,
    body: body.length <= 10_000 ? body.toString('latin1') : undefined,
  }));
}
