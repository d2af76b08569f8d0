// A pusher-js client over wss in a process of its own, which trusts the internal CA by
// NODE_EXTRA_CA_CERTS: node wss_client.mjs KEY PORT. Prints each step on a line; ends when an event
// has arrived.
import PusherJs from 'pusher-js';

const [key, port] = process.argv.slice(2);
const client = new PusherJs(key, {
  wsHost: 'localhost', wssPort: Number(port), forceTLS: true, enabledTransports: ['ws', 'wss'],
  cluster: '', disableStats: true,
});
client.connection.bind('error', (error) => console.log('error', JSON.stringify(error)));
client.connection.bind('connected', () => console.log('connected'));
const channel = client.subscribe('news');
channel.bind('pusher:subscription_succeeded', () => console.log('subscribed'));
channel.bind('e', (data) => {
  console.log('event', JSON.stringify(data));
  client.disconnect();
});
