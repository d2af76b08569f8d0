import assert from 'node:assert/strict';
import test from 'node:test';

import { backend, freePort, portero, run, waitFor, within } from './harness.mjs';
import { selfSigned } from './lib/certificates.mjs';
import { hubBlock, publisher, subscriber } from './lib/hub.mjs';

const socketCount = 200;
const reloadCount = 100;

const site = (upstream, hubPort, version) => `${hubBlock(hubPort)}
sites:
  localhost:
    hub: true
    routes:
      - match: /version
        respond: version ${version}
      - proxy: ${upstream.address}
  http://localhost: {hub: true, proxy: ${upstream.address}}
`;

// Requests in a loop until stop(); counts what went well and keeps what did not.
function load(request) {
  const result = { done: 0, failures: [] };
  let running = true;
  const loop = async () => {
    while (running) {
      try {
        const { status } = await request();
        if (status !== 200) throw new Error(`status ${status}`);
        result.done++;
      } catch (error) {
        result.failures.push(error.message);
      }
    }
  };
  const loops = [loop(), loop()];
  result.stop = async () => {
    running = false;
    await Promise.all(loops);
    return result;
  };
  return result;
}

test('reload: 100 under load close no socket and fail no request', async (t) => {
  const upstream = await backend(t);
  const hubPort = await freePort();
  const edge = await portero(t, site(upstream, hubPort, 0));
  const secure = (i) => ({ tls: i % 2 === 0 });
  const sockets = await Promise.all(Array.from({ length: socketCount }, (_, i) =>
    subscriber(edge, 'news', secure(i))));
  let closed = 0;
  for (const socket of sockets) socket.closed.then(() => closed++);
  const agents = [edge.keepAliveAgent(true), edge.keepAliveAgent(false)];
  const running = [
    load(() => edge.get('/x', { agent: agents[0] })),
    load(() => edge.get('/x', { agent: agents[1], tls: false })),
    load(() => edge.get('/x', { method: 'POST', body: 'x'.repeat(10_000), tls: false })),
  ];
  for (let version = 1; version <= reloadCount; version++) {
    edge.write(site(upstream, hubPort, version));
    const { code, stderr } = await edge.command('reload');
    assert.equal(code, 0, stderr);
  }
  for (const one of running) {
    const { done, failures } = await one.stop();
    assert.deepEqual(failures, []);
    assert.ok(done > reloadCount / 2, `only ${done} requests`);
  }
  assert.equal((await edge.get('/version')).text, `version ${reloadCount}`);
  await publisher(hubPort).trigger('news', 'after', { reloads: reloadCount });
  const events = await within('the event', Promise.all(sockets.map((s) => s.nextJson())));
  assert.ok(events.every(({ event }) => event === 'after'));
  assert.equal(closed, 0);
});

test('reload: an invalid file changes nothing and says why', async (t) => {
  const edge = await portero(t, 'sites:\n  http://localhost: {respond: old}\n');
  edge.write('sites:\n  http://localhost: {respnd: new}\n  http://b.test: {respond: b}\n');
  const { code, stdout, stderr } = await edge.command('reload');
  assert.equal(code, 1);
  assert.match(stdout + stderr, /portero\.yaml:\d+:\d+: .*respnd/);
  assert.equal((await edge.get('/', { tls: false })).text, 'old');
  assert.equal((await edge.get('/', { host: 'b.test', tls: false })).status, 404);
});

test('reload: what only handlers can find wrong is refused like any other error', async (t) => {
  const edge = await portero(t, `${hubBlock(await freePort())}
sites:
  http://localhost: {hub: true, respond: old}
`);
  const socket = await subscriber(edge, 'news', { tls: false });
  const [one, other] = ['one', 'other'].map((name) => selfSigned(edge.folder, name));
  edge.write(`
sites:
  http://localhost: {respond: new}
  a.test: {respond: a, tls: {cert: ${one.cert}, key: ${other.key}}}
  b.test: {proxy: {to: "https://127.0.0.1:9", tls: {cert: ${one.cert}, key: ${other.key}}}}
`);
  for (const command of ['reload', 'check']) {
    const { code, stdout, stderr } = await edge.command(command);
    assert.equal(code, 1, command);
    assert.match(stdout + stderr, /portero\.yaml:\d+: tls: .*belongs to another certificate/);
    assert.match(stdout + stderr, /portero\.yaml:\d+: https:\/\/127.*with the key .*mismatch/);
  }
  assert.equal((await edge.get('/', { tls: false })).text, 'old');
  assert.equal(socket.socket.readyState, socket.socket.OPEN);
  const started = await run(['run', '--config', edge.config], { seconds: 10 });
  assert.equal(started.code, 1);
  assert.match(started.stderr, /belongs to another certificate/);
});

test('reload: HUP adopts the new file, and says why it does not adopt a bad one', async (t) => {
  const edge = await portero(t, 'sites:\n  http://localhost: {respond: old}\n');
  const text = async () => (await edge.get('/', { tls: false })).text;
  edge.write('sites:\n  http://localhost: {respond: new}\n');
  edge.signal('SIGHUP');
  await waitFor('the new answer', async () => (await text()) === 'new');
  edge.write('sites: [\n');
  edge.signal('SIGHUP');
  await waitFor('the complaint', () => /portero\.yaml:\d+/.test(edge.stderr));
  assert.equal(await text(), 'new');
});

test('reload: a request under way ends on the routes that it began with', async (t) => {
  let release;
  const upstream = await backend(t, (request, response) => {
    response.write('first ');
    release = () => response.end('last');
  });
  const edge = await portero(t, `sites:\n  http://localhost: {proxy: ${upstream.address}}\n`);
  const answer = edge.get('/', { tls: false });
  await waitFor('the request', () => release);
  edge.write('sites:\n  http://localhost: {respond: new}\n');
  assert.equal((await edge.command('reload')).code, 0);
  assert.equal((await edge.get('/', { tls: false })).text, 'new');
  release();
  assert.equal((await answer).text, 'first last');
});

test('reload: listeners come and go with the file', async (t) => {
  const port = await freePort();
  const edge = await portero(t, 'sites:\n  http://localhost: {respond: a}\n');
  const own = `  "http://localhost:${port}": {respond: b}\n`;
  edge.write(`sites:\n  http://localhost: {respond: a}\n${own}`);
  assert.equal((await edge.command('reload')).code, 0);
  const ask = async () => {
    const wire = await edge.wire({ port });
    return (await wire.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n').answer()).text;
  };
  assert.equal(await ask(), 'b');
  edge.write('sites:\n  http://localhost: {respond: a}\n');
  assert.equal((await edge.command('reload')).code, 0);
  await assert.rejects(ask());
});
