// What tests need of the hub: an app in the site file, a publisher, a subscribed socket.
import Pusher from 'pusher';

export const app = { id: 'app', key: 'app-key', secret: 'app-secret' };

// The `hub` block of a site file, with a loopback listener on `port`.
export const hubBlock = (port) => `
hub:
  listen: 127.0.0.1:${port}
  apps:
    ${app.id}: {key: ${app.key}, secret: ${app.secret}}
`;

// Publishes as Laravel does, to the loopback listener.
export const publisher = (port) =>
  new Pusher({ appId: app.id, key: app.key, secret: app.secret,
               host: '127.0.0.1', port: `${port}`, useTLS: false });

// A WebSocket that has greeted and subscribed to a public channel.
export async function subscriber(edge, channel, options) {
  const socket = await edge.websocket(`/app/${app.key}?protocol=7`, options);
  const greeting = await socket.nextJson();
  if (greeting.event !== 'pusher:connection_established') throw new Error(greeting.event);
  socket.id = JSON.parse(greeting.data).socket_id;
  if (channel) {
    socket.send({ event: 'pusher:subscribe', data: { channel } });
    const answer = await socket.nextJson();
    if (answer.event !== 'pusher_internal:subscription_succeeded') throw new Error(answer.event);
  }
  return socket;
}
