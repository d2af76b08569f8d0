// A server that stops and comes back, seen by real clients: they return by themselves, join their
// channels again and go on.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { waitFor, within } from '../harness.mjs';
import {
  authServer, bound, called, echo, publisher, pusherJs, subscribed,
} from './application.mjs';
import { A, Hub, siteFile } from './fixture.mjs';

// pusher-js tries again at once after 4200, finds nobody there and then waits 15 s by itself.
const backSeconds = 40;
const comesBack = (what, register) => within(what, new Promise(register), backSeconds);

async function restart(hub) {
  const { code } = await hub.edge.stop();
  assert.equal(code, 0);
  await hub.edge.start({ ready: hub.listen });
}

async function startHub(t) {
  const hub = new Hub();
  await hub.start(t, (listen) => `grace_period: 1s\n${siteFile(listen)}`);
  const server = publisher(A, hub.listen);
  return { hub, server, endpoint: await authServer(t, server) };
}

test('pusher-js comes back after a stop and is on its channels again', { timeout: 90_000 },
     async (t) => {
       const { hub, server, endpoint } = await startHub(t);
       const client = await pusherJs(t, A, hub.edge.httpPort, endpoint('1'));
       const names = ['news', 'private-news', 'presence-room', 'private-encrypted-safe'];
       const channels = [];
       for (const name of names) channels.push(await subscribed(client, name));
       const firstId = client.connection.socket_id;
       const states = [];
       client.connection.bind('state_change', ({ current }) => states.push(current));
       const again = names.map((_, i) =>
         comesBack(names[i], (done) => channels[i].bind('pusher:subscription_succeeded', done)));
       await restart(hub);
       await Promise.all(again);
       assert.notEqual(client.connection.socket_id, firstId);
       assert.ok(!states.includes('failed') && !states.includes('disconnected'), states.join());
       for (const [i, name] of names.entries()) {
         const arrived = bound(channels[i], 'paid');
         await server.trigger(name, 'paid', { to: name });
         assert.deepEqual(await arrived, { to: name });
       }
     });

test('echo comes back after a stop: presence, whispers and events go on', { timeout: 90_000 },
     async (t) => {
       const { hub, server, endpoint } = await startHub(t);
       const [first, second] = [await echo(t, A, hub.edge.httpPort, endpoint('1')),
                                await echo(t, A, hub.edge.httpPort, endpoint('2'))];
       const room = first.join('room');
       let members = [];
       room.here((all) => (members = all))
         .joining((one) => members.push(one))
         .leaving((one) => (members = members.filter(({ name }) => name !== one.name)));
       const other = second.join('room');
       const names = () => members.map(({ name }) => name).sort().join();
       await waitFor('both to be there', () => names() === 'User 1,User 2');
       // Whoever joins last sees both at once, the other one sees it join.
       const back = comesBack('both again', (done) => {
         const bothAreThere = () => names() === 'User 1,User 2' && done();
         room.here(bothAreThere).joining(bothAreThere);
       });
       await restart(hub);
       await back;
       await waitFor('both to be there again', () => names() === 'User 1,User 2');
       const heard = called('a whisper', (done) => room.listenForWhisper('typing', done));
       other.whisper('typing', { on: true });
       assert.deepEqual(await heard, { on: true });
       const arrived = called('an event', (done) => room.listen('.paid', done));
       await server.trigger('presence-room', 'paid', { id: 1 });
       assert.deepEqual(await arrived, { id: 1 });
     });

test('echo: an encrypted channel, by the auth server\'s shared secret', async (t) => {
  const { hub, server, endpoint } = await startHub(t);
  const client = await echo(t, A, hub.edge.httpPort, endpoint('1'));
  const channel = client.encryptedPrivate('safe');
  const arrived = called('an event', (done) => channel.listen('.paid', done));
  await called('subscribed', (done) => channel.subscribed(done));
  await server.trigger('private-encrypted-safe', 'paid', { secret: 42 });
  assert.deepEqual(await arrived, { secret: 42 });
});
