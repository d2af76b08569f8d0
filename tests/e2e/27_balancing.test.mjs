// Several upstreams: who gets a request, who is left out, who waits, and what upstreams are told.
import assert from 'node:assert/strict';

import { readFileSync, statSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';

import { backend, freePort, pause, portero, rawBackend, temporaryFolder,
  waitFor } from './harness.mjs';
import { selfSigned, signedBy } from './lib/certificates.mjs';

const named = (t, name, handler) => backend(t, (request, response) => {
  response.setHeader('X-Name', name);
  if (handler) return handler(request, response);
  response.end(name);
});

const get = (edge, target = '/', options = {}) => edge.get(target, { host: 'a.test', tls: false,
  ...options });
const sites = (proxy) => `
sites:
  http://a.test:
    proxy: ${JSON.stringify(proxy)}
`;

test('balancing: a signed cookie leads back to its upstream, over workers and restarts',
  async (t) => {
  const two = [await named(t, 'one'), await named(t, 'two')];
  const edge = await portero(t, sites({ to: two.map((b) => b.address), balance: 'cookie' }));
  const first = await get(edge);
  const [cookie] = first.headers['set-cookie'];
  assert.match(cookie, /^portero_upstream=[0-9a-f]{32}; Path=\/; HttpOnly; SameSite=Lax$/);
  const Cookie = cookie.split(';')[0];
  const mine = first.text;
  for (let i = 0; i < 20; ++i) {
    const again = await get(edge, '/', { headers: { Cookie } });
    assert.deepEqual([again.text, again.headers['set-cookie']], [mine, undefined]);
  }
  assert.equal(statSync(path.join(edge.storage, 'cookie.key')).mode & 0o777, 0o600);
  await edge.stop();
  await edge.start();
  for (let i = 0; i < 10; ++i) assert.equal((await get(edge, '/', { headers: { Cookie } })).text,
    mine);
  // The upstream goes: another one, and a new cookie.
  await two[mine === 'one' ? 0 : 1].stop();
  const moved = await get(edge, '/', { headers: { Cookie } });
  assert.equal(moved.text, mine === 'one' ? 'two' : 'one');
  assert.match(moved.headers['set-cookie'][0], /^portero_upstream=/);
});

test('balancing: ip_hash and uri_hash keep to one upstream, on every worker', async (t) => {
  const three = [await named(t, '1'), await named(t, '2'), await named(t, '3')];
  const to = three.map((b) => b.address);
  for (const balance of ['ip_hash', 'uri_hash']) {
    const edge = await portero(t, `trusted_proxies: loopback\n${sites({ to, balance })}`);
    const seen = new Set();
    for (let i = 0; i < 12; ++i) {
      const ask = () => get(edge, balance === 'uri_hash' ? `/${i}` : '/',
        { headers: { 'X-Forwarded-For': `192.0.2.${i}` } });
      const answers = new Set();
      for (let j = 0; j < 4; ++j) answers.add((await ask()).text);
      assert.equal(answers.size, 1);
      seen.add([...answers][0]);
    }
    assert.ok(seen.size > 1);
  }
});

test('balancing: checks take an upstream out and back, for every worker', async (t) => {
  let healthy = true;
  const checks = [];
  const sick = await named(t, 'sick', (request, response) => {
    if (request.url === '/up') {
      checks.push(request.headers);
      response.statusCode = healthy ? 204 : 503;
    }
    response.end('sick');
  });
  const well = await named(t, 'well');
  const edge = await portero(t, sites({
    to: [sick.address, well.address], balance: 'round_robin',
    health: { path: '/up', every: '1s', timeout: '500ms' },
  }));
  const names = async (count) => {
    const seen = [];
    for (let i = 0; i < count; ++i) seen.push((await get(edge)).text);
    return seen;
  };
  await waitFor('the first check', () => checks.length > 0);
  assert.equal(checks[0]['user-agent'], 'portero (health)');
  assert.equal(checks[0].host, sick.address);
  assert.deepEqual([...new Set(await names(8))].sort(), ['sick', 'well']);
  healthy = false;
  await waitFor('the log line', () => /upstream\.down/.test(edge.stderr));
  assert.deepEqual([...new Set(await names(12))], ['well']);
  const { upstreams } = await edge.status();
  assert.deepEqual(upstreams.map((u) => [u.address, u.healthy]).sort(),
    [[sick.address, false], [well.address, true]].sort());
  // A reload forgets nothing; nobody left is better than nobody.
  assert.equal((await edge.command('reload')).code, 0);
  assert.deepEqual([...new Set(await names(12))], ['well']);
  healthy = true;
  await waitFor('it to be back', async () => (await names(2)).includes('sick'));
  await waitFor('the log line', () => /upstream\.up/.test(edge.stderr));
});

test('balancing: failures in a row put an upstream out for a while', async (t) => {
  let broken = true;
  const bad = await named(t, 'bad', (request, response) => {
    if (broken) return request.socket.destroy();
    response.end('bad');
  });
  const good = await named(t, 'good');
  const edge = await portero(t, sites({
    to: [bad.address, good.address], balance: 'round_robin', retries: { tries: 0 },
    health: { passive: { fails: 2, for: '2s' } },
  }));
  const statuses = async (count) => {
    const seen = [];
    for (let i = 0; i < count; ++i) seen.push((await get(edge)).status);
    return seen;
  };
  const first = await statuses(12);
  assert.equal(first.filter((status) => status === 502).length, 2);
  assert.match(edge.stderr, /upstream\.out/);
  assert.deepEqual(await statuses(12), Array(12).fill(200));
  broken = false;
  await waitFor('its return', async () => (await get(edge)).text === 'bad');
});

test('balancing: retries reach another upstream, but never send a POST twice', async (t) => {
  let cut = 0;
  const bad = await named(t, 'bad', (request) => {
    ++cut;
    request.socket.destroy();
  });
  const good = await named(t, 'good');
  const edge = await portero(t, sites({ to: [bad.address, good.address], balance: 'round_robin' }));
  for (let i = 0; i < 8; ++i) assert.equal((await get(edge)).status, 200);
  assert.ok(cut > 0);
  const posts = [];
  for (let i = 0; i < 4; ++i) posts.push((await get(edge, '/', { method: 'POST',
    body: 'x' })).status);
  assert.ok(posts.includes(502), `${posts}`);
  // The budget: when everything fails, attempts do not multiply without end.
  cut = 0;
  const alone = await portero(t, sites({ to: [bad.address, bad.address],
    retries: { budget: '10%' } }));
  for (let i = 0; i < 60; ++i) assert.equal((await get(alone)).status, 502);
  assert.ok(cut >= 60 && cut <= 60 + 2 * 10 + 12, `${cut} attempts for 60 requests`);
});

test('balancing: past max_concurrent requests wait in line, over all workers', async (t) => {
  let now = 0;
  let most = 0;
  const slow = await backend(t, async (request, response) => {
    most = Math.max(most, ++now);
    await pause(30);
    --now;
    response.end('done');
  });
  const edge = await portero(t, sites({ to: slow.address, max_concurrent: 3 }));
  const answers = await Promise.all(Array.from({ length: 30 }, () => get(edge)));
  assert.deepEqual(answers.map((a) => a.status), Array(30).fill(200));
  assert.ok(most <= 3, `${most} at a time`);
  // In the order in which they came: no worker's clients are left behind.
  const one = await portero(t, `threads: 2\n${sites({ to: slow.address, max_concurrent: 1 })}`);
  const answered = Array(8).fill(0);
  const end = Date.now() + 2500;
  await Promise.all(answered.map(async (_, client) => {
    const agent = one.keepAliveAgent(false);
    while (Date.now() < end) {
      assert.equal((await get(one, '/', { agent })).status, 200);
      answered[client] += 1;
    }
  }));
  assert.ok(Math.max(...answered) - Math.min(...answered) <= 2, answered.join(' '));
  const short = await portero(t, sites({
    to: slow.address, max_concurrent: 1, queue: { size: 1, wait: '5s' } }));
  const many = await Promise.all(Array.from({ length: 12 }, () => get(short)));
  const full = many.filter((a) => a.status === 503);
  assert.ok(full.length > 0 && full.length < 12);
  assert.equal(full[0].headers['retry-after'], '1');
});

test('balancing: with a queue, an upstream that restarts fails no request', async (t) => {
  const port = await freePort();
  const where = { port, host: '127.0.0.1' };
  const first = await backend(t, (request, response) => response.end('first'), { where });
  const edge = await portero(t, sites({ to: `127.0.0.1:${port}`, queue: { size: 100,
    wait: '10s' } }));
  assert.equal((await get(edge)).text, 'first');
  await first.stop();
  const waiting = Array.from({ length: 20 }, (_, i) =>
    get(edge, '/', i % 2 ? { method: 'POST', body: 'x' } : {}));
  await pause(500);
  await backend(t, (request, response) => response.end('second'), { where });
  for (const answer of await Promise.all(waiting)) assert.equal(answer.text, 'second');
  const impatient = await portero(t, sites({ to: `127.0.0.1:${await freePort()}`,
    queue: { wait: '300ms' } }));
  const refused = await get(impatient);
  assert.equal(refused.status, 502);
});

test('balancing: the PROXY header tells who the client is', async (t) => {
  const heads = [];
  const server = await rawBackend(t, (socket) => {
    let head = Buffer.alloc(0);
    socket.on('data', (data) => {
      head = Buffer.concat([head, data]);
      if (!head.includes('\r\n\r\nHTTP') && !head.toString('latin1').includes('GET /')) return;
      heads.push(head);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  for (const version of ['v1', 'v2']) {
    const edge = await portero(t, `trusted_proxies: loopback\n${
      sites({ to: server.address, proxy_protocol: version })}`);
    const ask = (address) => get(edge, '/', { headers: { 'X-Forwarded-For': address } });
    for (const address of ['192.0.2.7', '2001:db8::7', '192.0.2.8']) {
      assert.equal((await ask(address)).text, 'ok');
      const head = heads.at(-1);
      if (version === 'v1') {
        const v4 = address.includes('.');
        const expected = v4 ? `PROXY TCP4 ${address} 127.0.0.1 0 ${edge.httpPort}\r\nGET / `
                            : `PROXY TCP6 ${address} ::ffff:127.0.0.1 0 ${edge.httpPort}\r\nGET / `;
        assert.ok(head.toString('latin1').startsWith(expected), head.toString('latin1'));
      } else {
        const v4 = address.includes('.');
        assert.equal(head.subarray(0, 12).toString('hex'), '0d0a0d0a000d0a515549540a');
        assert.equal(head[12], 0x21);
        assert.equal(head[13], v4 ? 0x11 : 0x21);
        assert.equal(head.readUInt16BE(14), v4 ? 12 : 36);
        const client = head.subarray(16, v4 ? 20 : 32);
        if (v4) assert.equal([...client].join('.'), address);
        else assert.equal(client.toString('hex'), '20010db8000000000000000000000007');
        assert.equal(head.readUInt16BE(v4 ? 26 : 50), edge.httpPort);
      }
    }
  }
  assert.equal(heads.length, 6, 'a connection for each client');
});

test('balancing: checks begin with the PROXY header too', async (t) => {
  let checks = 0;
  const strict = await rawBackend(t, (socket) => {
    socket.once('data', (data) => {
      if (!data.toString('latin1').startsWith('PROXY TCP4 127.0.0.1 ')) return socket.destroy();
      if (data.includes('GET /up ')) ++checks;
      else socket.once('data', (more) => { if (more.includes('GET /up ')) ++checks; });
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const edge = await portero(t, sites({
    to: strict.address, proxy_protocol: 'v1', health: { path: '/up', every: '1s' },
  }));
  await waitFor('two checks', () => checks >= 2);
  assert.doesNotMatch(edge.stderr, /upstream\.down/);
  assert.equal((await edge.status()).upstreams[0].healthy, true);
});

test('balancing: a client certificate for the upstream', async (t) => {
  const folder = temporaryFolder();
  const ca = selfSigned(folder, 'upstream.test');
  const client = signedBy(folder, ca, 'portero');
  const server = https.createServer({
    cert: readFileSync(ca.cert), key: readFileSync(ca.key), ca: readFileSync(ca.cert),
    requestCert: true, rejectUnauthorized: true,
  });
  const upstream = await backend(t, (request, response) =>
    response.end(request.socket.getPeerCertificate().subject.CN), { server });
  const tls = { server_name: 'upstream.test', ca: ca.cert };
  const edge = await portero(t, sites({
    to: `https://${upstream.address}`, tls: { ...tls, ...client },
  }));
  assert.equal((await get(edge)).text, 'portero');
  const nobody = await portero(t, sites({ to: `https://${upstream.address}`, tls }));
  assert.equal((await get(nobody)).status, 502);
  nobody.write(sites({ to: `https://${upstream.address}`, tls: { ...tls, cert: client.cert } }));
  const { code, stderr } = await nobody.command('check');
  assert.equal(code, 1);
  assert.match(stderr, /`cert` and `key` belong together; `key` is missing/);
});
