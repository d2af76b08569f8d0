// `php:` while php-fpm is away, full or left by its clients: what waits, what flows again, what is
// freed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, mkdirSync, writeFileSync }
  from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { pause, portero, temporaryFolder, waitFor } from './harness.mjs';
import { fpm } from './lib/fpm.mjs';

const root = fileURLToPath(new URL('php-app/public', import.meta.url));

// Asks from `clients` connections until stopped; every answer must be 200 and the script must have
// run once for each request.
function load(edge, folder, clients, post) {
  const state = { sent: 0, failures: [], stopped: false, ids: new Set() };
  const file = path.join(folder, `runs-${clients}-${post}`);
  const ask = async (client) => {
    const agent = edge.keepAliveAgent();
    for (let i = 0; !state.stopped; i++) {
      const id = `${client}-${i}`;
      state.ids.add(id);
      const method = post(i) ? 'POST' : 'GET';
      const target = `/append?to=${encodeURIComponent(file)}&id=${id}&ms=5`;
      const options = { agent, method, ...(method === 'POST' && { body: 'x=1' }) };
      const answer = await edge.get(target, options).catch((error) => ({ text: error.message }));
      state.sent += 1;
      if (answer.text !== id) state.failures.push(`${method} ${answer.status} ${answer.text}`);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, client) => ask(client)));
  state.stop = async () => {
    state.stopped = true;
    await all;
    state.runs = readFileSync(file, 'utf8').trim().split('\n');
  };
  return state;
}

test('php: reloading php-fpm under load fails no request', async (t) => {
  const server = await fpm(t, { children: 4 });
  const edge = await portero(t, `sites: {localhost: {root: ${root}, php: "${server.address}"}}\n`);
  const state = load(edge, server.folder, 8, (i) => i % 2 === 1);
  for (let i = 0; i < 3; i++) {
    const before = state.sent;
    await waitFor('requests', () => state.sent > before + 40);
    await server.reload();
  }
  await state.stop();
  assert.deepEqual(state.failures, []);
  assert.ok(state.sent > 120);
  assert.deepEqual(new Set(state.runs), state.ids);
});

const stopped = async (t, { tcp, settings }) => {
  const server = await fpm(t, { children: 4, tcp });
  const edge = await portero(t, `
sites: {localhost: {root: ${root}, php: {to: "${server.address}", ${settings}}}}
`);
  const state = load(edge, server.folder, 12, (i) => i % 3 === 1);
  for (let i = 0; i < 3; i++) {
    const before = state.sent;
    await waitFor('requests', () => state.sent > before + 40);
    await server.stop('SIGQUIT');
    await pause(300);  // nobody listens
    await server.start();
  }
  await state.stop();
  assert.deepEqual(state.failures, []);
  assert.equal(state.runs.length, state.ids.size, 'each ran once');
};

test('php: stopping and starting php-fpm under load fails no request', (t) =>
  stopped(t, { tcp: false, settings: 'max_concurrent: 4' }));

// With connections in its backlog, which are reset.
test('php: nor does it over TCP', (t) => stopped(t, { tcp: true, settings: '' }));

for (const tcp of [false, true]) {
  test(`php: killing php-fpm fails no GET and repeats no POST that ran, TCP ${tcp}`, async (t) => {
    const server = await fpm(t, { children: 4, tcp });
    const edge = await portero(t,
      `sites: {localhost: {root: ${root}, php: "${server.address}"}}\n`);
    const isPost = (i) => i % 2 === 1;
    const state = load(edge, server.folder, 8, isPost);
    for (let i = 0; i < 4; i++) {
      const before = state.sent;
      await waitFor('requests', () => state.sent > before + 40);
      await server.stop('SIGTERM');
      await server.start();
      await pause(500);  // a GET is made three times, not more
    }
    await state.stop();
    assert.deepEqual(state.failures.filter((failure) => !/^POST 502 /.test(failure)), []);
    const posts = state.runs.filter((id) => isPost(Number(id.split('-')[1])));
    assert.equal(posts.length, new Set(posts).size);
  });
}

test('php: without php-fpm requests wait, then get an answer that helps', async (t) => {
  const socket = path.join(temporaryFolder(), 'none.sock');
  const edge = await portero(t, `
sites:
  localhost: {root: ${root}, php: {to: "unix:${socket}", queue: {size: 2, wait: 1s}}}
`);
  const started = Date.now();
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => edge.get('/')));
  const statuses = answers.map((answer) => answer.status).sort();
  assert.ok(statuses.filter((status) => status === 502).length >= 2, `${statuses}`);
  assert.ok(statuses.includes(503), `${statuses}`);
  assert.ok(Date.now() - started >= 1000);
  for (const { status, headers, text } of answers) {
    assert.match(text, status === 502 ? /socket file does not exist/ : /is busy/);
    if (status === 503) assert.ok(headers['retry-after']);
  }
  assert.equal((await edge.get('/style.css')).status, 200);
});

test('php: max_concurrent holds; clients that are slow or leave free their process', async (t) => {
  const server = await fpm(t, { children: 1 });
  const edge = await portero(t, `
threads: 1
sites:
  localhost: {root: ${root}, php: {to: "${server.address}", max_concurrent: 1}}
`);
  await t.test('requests take turns', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => edge.get('/sleep?ms=100')));
    assert.deepEqual(answers.map((answer) => answer.text), ['slept', 'slept', 'slept']);
  });
  await t.test('20 MB to a client that does not read', async () => {
    const wire = await edge.wire({ tls: true });
    wire.socket.pause();
    wire.write('GET /long?bytes=20000000 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await pause(50);
    assert.equal((await edge.get('/pid')).status, 200);
    assert.ok(edge.rss < 200_000, `${edge.rss} KiB`);
    wire.socket.resume();
    assert.equal((await wire.answer()).body.length, 20_000_000);
  });
  await t.test('a client that leaves', async () => {
    for (let i = 0; i < 3; i++) {
      const wire = await edge.wire({ tls: true });
      wire.write('GET /events?count=600 HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await wire.head();
      wire.close();
    }
    assert.equal((await edge.get('/pid')).status, 200);
  });
});

// Kept connections occupy the processes; without more the first clients would be served for ever.
for (const [name, tcp] of [['a unix socket', false], ['TCP', true]]) {
  test(`php: more clients than processes have their turns, over ${name}`, async (t) => {
    const server = await fpm(t, { children: 2, tcp });
    const edge = await portero(t, `
threads: 2
sites: {localhost: {root: ${root}, php: "${server.address}"}}
`);
    const answered = Array(10).fill(0);
    const end = Date.now() + 3000;
    await Promise.all(answered.map(async (_, client) => {
      const agent = edge.keepAliveAgent();
      while (Date.now() < end) {
        assert.equal((await edge.get('/sleep?ms=5', { agent })).text, 'slept');
        answered[client] += 1;
      }
    }));
    const all = answered.reduce((sum, count) => sum + count);
    assert.ok(all > 100, `${all} answers`);
    // A tenth each; the last to come may wait 0.2 s over TCP.
    assert.ok(Math.min(...answered) > all / 40, answered.join(' '));
  });
}

test('php: too few processes are told of, once', async (t) => {
  const server = await fpm(t, { children: 1 });
  const edge = await portero(t, `
threads: 1
sites: {localhost: {root: ${root}, php: "${server.address}"}}
`);
  const answers = await Promise.all(Array.from({ length: 6 }, () => edge.get('/sleep?ms=400')));
  assert.ok(answers.every((answer) => answer.text === 'slept'));
  const told = edge.stderr.split('\n').filter((line) => line.includes('"php.full"'));
  assert.equal(told.length, 1);
  assert.match(told[0], /"waiting":[1-9].*raise pm\.max_children/);
});

test('php: a release that is switched serves the next request', async (t) => {
  const server = await fpm(t, { lines: ['php_admin_value[opcache.revalidate_freq] = 60'] });
  const folder = temporaryFolder();
  const current = path.join(folder, 'current');
  for (const release of ['one', 'two']) {
    mkdirSync(path.join(folder, release, 'public'), { recursive: true });
    writeFileSync(path.join(folder, release, 'public/index.php'),
      `<?php echo '${release} ', $_SERVER['DOCUMENT_ROOT'];`);
  }
  symlinkSync('one', current);
  const edge = await portero(t, `
sites: {localhost: {root: ${current}/public, php: "${server.address}"}}
`);
  assert.equal((await edge.get('/')).text, `one ${folder}/one/public`);
  symlinkSync('two', `${current}.next`);
  renameSync(`${current}.next`, current);
  assert.equal((await edge.get('/')).text, `two ${folder}/two/public`);
  rmSync(current);
  assert.ok(!existsSync(current));
  assert.equal((await edge.get('/')).status, 500);
});
