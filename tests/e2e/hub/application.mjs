// An application's side, on the real packages: a server that signs what its users may join, a
// publisher, and clients of pusher-js and laravel-echo.
import { once } from 'node:events';
import http from 'node:http';

import Echo from 'laravel-echo';
import Pusher from 'pusher';
import PusherJs from 'pusher-js';

import { within } from '../harness.mjs';
import { seconds } from './pusher_client.mjs';

export const encryptionKey = Buffer.alloc(32, 7).toString('base64');

// The `pusher` package, posting to the loopback listener as Laravel does.
export const publisher = (app, port) => new Pusher({
  appId: app.id, key: app.key, secret: app.secret, host: '127.0.0.1', port: `${port}`,
  useTLS: false, encryptionMasterKeyBase64: encryptionKey, timeout: 8000,
});

// Answers /broadcasting/auth; the user is whom the query names; `private-forbidden` is refused.
export async function authServer(t, pusher) {
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://auth.test');
    let body = '';
    for await (const chunk of request) body += chunk;
    const fields = new URLSearchParams(body);
    const channel = fields.get('channel_name');
    if (channel === 'private-forbidden') return response.writeHead(403).end();
    const user = url.searchParams.get('user') ?? '1';
    const member = { user_id: user, user_info: { name: `User ${user}` } };
    const auth = pusher.authorizeChannel(fields.get('socket_id'), channel,
                                         channel.startsWith('presence-') ? member : undefined);
    response.setHeader('Content-Type', 'application/json');
    return response.end(JSON.stringify(auth));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (user) => `http://127.0.0.1:${server.address().port}/broadcasting/auth?user=${user}`;
}

const clientOptions = (port, endpoint) => ({
  wsHost: 'localhost', wsPort: port, forceTLS: false, enabledTransports: ['ws'], cluster: '',
  disableStats: true, authEndpoint: endpoint,
  channelAuthorization: { endpoint, transport: 'ajax' },
});

// A pusher-js client that is connected.
export async function pusherJs(t, app, port, endpoint) {
  const client = new PusherJs(app.key, clientOptions(port, endpoint));
  t.after(() => client.disconnect());
  await bound(client.connection, 'connected');
  return client;
}

// A laravel-echo client that is connected.
export async function echo(t, app, port, endpoint) {
  const client = new Echo({
    broadcaster: 'reverb', key: app.key, Pusher: PusherJs, withoutInterceptors: true,
    ...clientOptions(port, endpoint),
  });
  t.after(() => client.disconnect());
  await bound(client.connector.pusher.connection, 'connected');
  return client;
}

// Waits for one event of a pusher-js object (a channel, a connection) and returns its data.
export function bound(target, event) {
  const arrived = new Promise((resolve) => {
    const once_ = (data) => {
      target.unbind(event, once_);
      resolve(data);
    };
    target.bind(event, once_);
  });
  return within(event, arrived, seconds);
}

// Subscribes and waits for the success; returns the channel.
export async function subscribed(client, name) {
  const channel = client.subscribe(name);
  channel.joined = await bound(channel, 'pusher:subscription_succeeded');
  return channel;
}

// Waits until `register(callback)` has called back; for Echo's listen(), here(), joining() …
export function called(what, register) {
  return within(what, new Promise((resolve) => register(resolve)), seconds);
}
