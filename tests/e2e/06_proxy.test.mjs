import assert from 'node:assert/strict';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { backend, h2request, portero, temporaryFolder } from './harness.mjs';
import { selfSigned } from './lib/certificates.mjs';

test('proxy: what a backend is told', async (t) => {
  const upstream = await backend(t);
  const edge = await portero(t, `
sites:
  localhost: {proxy: ${upstream.address}}
  trusting.test: {trusted_proxies: [127.0.0.1], proxy: ${upstream.address}}
  edited.test:
    strip_prefix: /api
    headers: {set: {X-Site: "{host}"}, remove: [Server, X-Powered-By]}
    proxy:
      to: ${upstream.address}
      headers_up: {set: {X-Tenant: "{host}"}, remove: [X-Secret]}
  rewritten.test: {rewrite: "/index.php?was={path}", proxy: ${upstream.address}}
`);
  const echo = async (target, options) => (await edge.get(target, options)).json;
  const spoofed = {
    'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'gopher', 'X-Forwarded-Host': 'x.test',
    Forwarded: 'for=203.0.113.7',
  };

  await t.test('method, target, Host and body as they came', async () => {
    const target = '/a%20b/%63//x%2Fy?d=%2F&e=/../';
    const seen = await echo(target, { method: 'PUT', body: 'body' });
    assert.equal(seen.method, 'PUT');
    assert.equal(seen.url, target);
    assert.equal(seen.headers.host, 'localhost');
    assert.equal(seen.body, 'body');
  });
  await t.test('forwarded fields are portero\'s own', async () => {
    const { headers } = await echo('/', { headers: spoofed });
    assert.equal(headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers['x-forwarded-proto'], 'https');
    assert.equal(headers['x-forwarded-host'], 'localhost');
    assert.ok(!JSON.stringify(headers).includes('203.0.113.7'));
  });
  await t.test('a trusted proxy\'s forwarded fields are kept', async () => {
    const { headers } = await echo('/', { host: 'trusting.test', headers: spoofed });
    assert.match(headers['x-forwarded-for'], /^203\.0\.113\.7, ?127\.0\.0\.1$/);
    assert.equal(headers['x-forwarded-proto'], 'gopher');
  });
  await t.test('hop-by-hop fields end here, both ways', async () => {
    const { headers } = await echo('/', { headers: {
      Connection: 'X-Hop, close', 'X-Hop': '1', 'Keep-Alive': 'timeout=5', TE: 'gzip',
      'Proxy-Connection': 'keep-alive', 'Proxy-Authorization': 'Basic x',
    } });
    for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'te']) {
      assert.equal(headers[name], undefined, name);
    }
    const answer = await edge.get('/', { agent: edge.keepAliveAgent() });
    assert.equal(answer.headers['keep-alive'], undefined);
  });
  await t.test('edits of the site and of the upstream', async () => {
    const answer = await edge.get('/api/users?x', {
      host: 'edited.test', headers: { 'X-Secret': '1' },
    });
    assert.equal(answer.json.url, '/users?x');
    assert.equal(answer.json.headers['x-tenant'], 'edited.test');
    assert.equal(answer.json.headers['x-secret'], undefined);
    assert.equal(answer.headers['x-site'], 'edited.test');
    assert.equal(answer.headers.server, undefined);
  });
  await t.test('a rewritten target', async () => {
    assert.equal((await echo('/page', { host: 'rewritten.test' })).url, '/index.php?was=/page');
  });
});

test('proxy: connections to a backend are kept and used again', async (t) => {
  const upstream = await backend(t);
  const site = `  http://localhost: {proxy: ${upstream.address}}\n`;
  const edge = await portero(t, `threads: 1\nsites:\n${site}`);
  for (let i = 0; i < 20; i++) await edge.get('/', { tls: false });
  assert.equal(new Set(upstream.requests.map(({ socket }) => socket)).size, 1);
});

test('proxy: routes go to the first that matches', async (t) => {
  const [api, post, rest] = await Promise.all(['api', 'post', 'rest'].map((name) =>
    backend(t, (request, response) => response.end(`${name} ${request.url}`))));
  const edge = await portero(t, `
sites:
  http://localhost:
    routes:
      - match: {path: /api/*, not: {header: {X-Skip: "1"}}}
        strip_prefix: /api
        proxy: ${api.address}
      - match: {method: POST, query: {kind: [a, b]}}
        proxy: ${post.address}
      - match: {path: "*.txt", client_ip: 10.0.0.0/8}
        respond: {status: 403, body: no}
      - match: /only
        redirect: {to: "/new{path}", status: 307}
      - proxy: ${rest.address}
`);
  const text = async (target, options) =>
    (await edge.get(target, { tls: false, ...options })).text;
  assert.equal(await text('/api/x?y'), 'api /x?y');
  assert.equal(await text('/%61pi/x'), 'api /x');
  assert.equal(await text('/api/x', { headers: { 'X-Skip': '1' } }), 'rest /api/x');
  assert.equal(await text('/?kind=b', { method: 'POST' }), 'post /?kind=b');
  assert.equal(await text('/?kind=c', { method: 'POST' }), 'rest /?kind=c');
  assert.equal(await text('/a.txt'), 'rest /a.txt');
  assert.equal(await text('/API/x'), 'rest /API/x');
  const redirect = await edge.get('/only', { tls: false });
  assert.deepEqual([redirect.status, redirect.headers.location], [307, '/new/only']);
});

test('proxy: no spelling of a path gets around a match', async (t) => {
  const upstream = await backend(t, (request, response) => response.end(request.url));
  const edge = await portero(t, `
sites:
  localhost: &site
    routes:
      - match: /admin/*
        respond: {status: 403, body: closed}
      - match: [/public/*, /img//x/*]
        proxy: ${upstream.address}
      - respond: {status: 404, body: none}
  http://localhost: *site
`);
  const session = await edge.h2();
  const both = async (target) => {
    const first = await edge.get(target, { tls: false });
    const second = await h2request(session, { ':path': target });
    assert.deepEqual([second.status, second.text], [first.status, first.text], target);
    return first;
  };
  await t.test('a rule that closes a path closes every spelling of it', async () => {
    for (const target of [
      '/admin/x', '/%61dmin/x', '//admin/x', '///admin//x', '/admin//', '/%2Fadmin/x', '/admin%2Fx',
      '/admin/%2e/x', '/./admin/x', '/.//admin/x', '/a/../admin/x', '/a//../admin/x',
      '/x/%2e%2e/admin/x', '/x%2F..%2Fadmin/x', '/public/../admin/x', '/public/..%2fadmin/x',
      '/public%2F..%2F..%2Fadmin/x',
    ]) {
      const { status } = await both(target);
      assert.ok([400, 403].includes(status), `${target}: ${status}`);
    }
    assert.equal((await both('/Admin/x')).status, 404, 'paths have case');
  });
  await t.test('a rule that opens a path sends no other', async () => {
    const sent = {
      '/public/x': '/public/x',
      '/public/%78?q=/../': '/public/%78?q=/../',
      '/public//x': '/public//x',
      '/public/a%2Fb': '/public/a%2Fb',
      '//public/x?q': '/public/x?q',
      '/%2Fpublic/x': '/public/x',
      '/admin/../public/x': '/public/x',
      '/admin%2F..%2Fpublic/a%20b': '/public/a%20b',
      '/public/./%2e%2e/public/%25': '/public/%25',
      '/img/x/1': '/img/x/1',
    };
    for (const [target, url] of Object.entries(sent)) {
      assert.deepEqual((await both(target)).text, url, target);
    }
  });
});

test('proxy: unix sockets and https backends', async (t) => {
  const folder = temporaryFolder();
  const { cert, key } = selfSigned(folder, 'backend.test');
  const where = path.join(folder, 'app.sock');
  const local = await backend(t, (request, response) => response.end('local'), { where });
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  const secure = await backend(t, undefined, { server });
  const edge = await portero(t, `
sites:
  http://unix.test: {proxy: "unix:${local.address}"}
  http://secure.test:
    proxy: {to: "https://${secure.address}", tls: {server_name: backend.test, ca: ${cert}}}
  http://wrong.test:
    proxy: {to: "https://${secure.address}", tls: {server_name: other.test, ca: ${cert}}}
  http://unknown.test: {proxy: "https://${secure.address}"}
`);
  const get = (host) => edge.get('/', { host, tls: false });
  assert.equal((await get('unix.test')).text, 'local');
  assert.equal((await get('secure.test')).json.method, 'GET');
  assert.equal((await get('wrong.test')).status, 502, 'a certificate for another name');
  assert.equal((await get('unknown.test')).status, 502, 'a certificate of an unknown issuer');
});
