// The interfaces of DNS services as far as dns-01 needs them. They check what they are sent as the
// real ones do, and keep the records in bind9.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';

import { nsupdate, texts } from './bind.mjs';

const zone = 'api.test';
const json = (status, body) => ({ status, body: JSON.stringify(body) });
const xml = (status, body) => ({ status, body: `<?xml version="1.0"?>\n${body}` });
const fqdn = (name) => (name === '@' ? zone : `${name}.${zone}`);
const add = (name, value) => nsupdate(`zone ${zone}`, `update add ${name} 60 TXT "${value}"`);
const remove = (name, value) => nsupdate(`zone ${zone}`, `update delete ${name} TXT "${value}"`);
const unquoted = (text) => /^"(.*)"$/.exec(text)?.[1];

// Numbers by which a service knows values.
const ids = [];
const idOf = (value) => (ids.includes(value) ? ids : (ids.push(value), ids)).indexOf(value) + 1;

async function cloudflare({ method, url, body, headers }, service) {
  if (headers.authorization !== `Bearer ${service.token}`) {
    return json(403, { success: false, errors: [{ code: 9109, message: 'Invalid access token' }] });
  }
  const { pathname, searchParams } = url;
  if (pathname === '/zones') {
    const known = searchParams.get('name') === zone ? [{ id: 'z1', name: zone }] : [];
    return json(200, { success: true, result: known });
  }
  if (method === 'POST' && pathname === '/zones/z1/dns_records') {
    const value = unquoted(body.content);
    if ((await texts(body.name)).includes(value)) {
      return json(400, { success: false, errors: [{ code: 81058, message: 'identical record' }] });
    }
    await add(body.name, value);
    return json(200, { success: true, result: { id: `r${idOf(value)}` } });
  }
  if (method === 'GET') {
    const found = (await texts(searchParams.get('name')))
      .map((value) => ({ id: `r${idOf(value)}`, content: `"${value}"` }));
    return json(200, { success: true, result: found });
  }
  const id = Number(pathname.replace('/zones/z1/dns_records/r', ''));
  await remove(`_acme-challenge.${zone}`, ids[id - 1]);
  return json(200, { success: true, result: {} });
}

async function hetzner({ method, url, body, headers }, service) {
  if (headers.authorization !== `Bearer ${service.token}`) {
    return json(401, { error: { code: 'unauthorized', message: 'unable to authenticate' } });
  }
  const [, zones, name, rrsets, relative, type, , action] = url.pathname.split('/');
  if (zones !== 'zones' || name !== zone || rrsets !== 'rrsets' || type !== 'TXT') {
    return json(404, { error: { code: 'not_found', message: 'no such zone' } });
  }
  const owner = fqdn(decodeURIComponent(relative));
  if (method === 'GET') {
    const records = (await texts(owner)).map((value) => ({ value: `"${value}"` }));
    return json(records.length > 0 ? 200 : 404, { rrset: { records } });
  }
  const value = unquoted(body.records[0].value);
  const held = (await texts(owner)).includes(value);
  if (held === (action === 'add_records')) {
    return json(422, { error: { code: 'invalid_input', message: 'records are as they are' } });
  }
  await (action === 'add_records' ? add : remove)(owner, value);
  return json(201, { action: { status: 'running' } });
}

async function digitalocean({ method, url, body, headers }, service) {
  if (headers.authorization !== `Bearer ${service.token}`) {
    return json(401, { id: 'Unauthorized', message: 'Unable to authenticate you' });
  }
  if (!url.pathname.startsWith(`/domains/${zone}/records`)) {
    return json(404, { id: 'not_found', message: 'no such domain' });
  }
  if (method === 'GET') {
    const found = (await texts(url.searchParams.get('name')))
      .map((value) => ({ id: idOf(value), data: value }));
    return json(200, { domain_records: found });
  }
  if (method === 'POST') {
    await add(fqdn(body.name), body.data);
    return json(201, { domain_record: { id: idOf(body.data) } });
  }
  await remove(`_acme-challenge.${zone}`, ids[Number(url.pathname.split('/').pop()) - 1]);
  return { status: 204, body: '' };
}

async function acmeDns({ url, body, headers }, service) {
  if (headers['x-api-user'] !== service.id || headers['x-api-key'] !== service.secret) {
    return json(401, { error: 'forbidden' });
  }
  if (url.pathname !== '/update' || !/^[\w-]{43}$/.test(body.txt)) {
    return json(400, { error: 'bad_txt' });
  }
  await add(`${body.subdomain}.${zone}`, body.txt);
  return json(200, { txt: body.txt });
}

const hash = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

// Signature Version 4, from the request as it arrived.
function isSignedBy(service, { method, url, text, headers }) {
  const part = (name) => new RegExp(`${name}=([^, ]+)`).exec(headers.authorization ?? '')?.[1];
  const [credential, signedNames, signature] =
    ['Credential', 'SignedHeaders', 'Signature'].map(part);
  if (!credential || !signedNames || !signature) return false;
  const [id, day, region, name] = credential.split('/');
  const canonical = [method, url.pathname,
    [...url.searchParams].map((pair) => pair.map(encodeURIComponent).join('=')).sort().join('&'),
    ...signedNames.split(';').map((one) => `${one}:${headers[one].trim()}`), '', signedNames,
    hash(text)].join('\n');
  const scope = `${day}/${region}/${name}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash(canonical)].join('\n');
  let key = `AWS4${service.secret}`;
  for (const step of [day, region, name, 'aws4_request']) key = hmac(key, step);
  const wanted = hmac(key, toSign);
  return id === service.id && region === 'us-east-1' && name === 'route53' &&
    timingSafeEqual(wanted, Buffer.from(signature, 'hex'));
}

async function route53(call, service) {
  if (!isSignedBy(service, call) || call.headers['x-amz-security-token'] !== 'of a role') {
    return xml(403, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>
      <Message>The request signature does not match</Message></Error></ErrorResponse>`);
  }
  const { pathname, searchParams } = call.url;
  if (pathname === '/2013-04-01/hostedzonesbyname') {
    return xml(200, `<ListHostedZonesByNameResponse><HostedZones>
      <HostedZone><Id>/hostedzone/PRIVATE</Id><Name>${zone}.</Name>
        <Config><PrivateZone>true</PrivateZone></Config></HostedZone>
      <HostedZone><Id>/hostedzone/Z1</Id><Name>${zone}.</Name>
        <Config><PrivateZone>false</PrivateZone></Config></HostedZone>
      </HostedZones></ListHostedZonesByNameResponse>`);
  }
  if (pathname !== '/2013-04-01/hostedzone/Z1/rrset') return xml(404, '<ErrorResponse/>');
  const name = searchParams.get('name') ?? /<Name>(.*)\.<\/Name>/.exec(call.text)[1];
  const held = await texts(name);
  if (call.method === 'GET') {
    const records = held.map((value) =>
      `<ResourceRecord><Value>"${value}"</Value></ResourceRecord>`).join('');
    const set = `<ResourceRecordSet><Name>${name}.</Name><Type>TXT</Type><TTL>60</TTL>
      <ResourceRecords>${records}</ResourceRecords></ResourceRecordSet>`;
    return xml(200, `<ListResourceRecordSetsResponse><ResourceRecordSets>${held.length ? set : ''}
      </ResourceRecordSets></ListResourceRecordSetsResponse>`);
  }
  const values = [...call.text.matchAll(/<Value>"(.*?)"<\/Value>/g)].map(([, value]) => value);
  const isDelete = call.text.includes('<Action>DELETE</Action>');
  if (isDelete && values.sort().join() !== held.sort().join()) {
    return xml(400, `<ErrorResponse><Error><Message>values do not match the current values</Message>
      </Error></ErrorResponse>`);
  }
  await nsupdate(`zone ${zone}`, `update delete ${name} TXT`,
    ...(isDelete ? [] : values.map((value) => `update add ${name} 60 TXT "${value}"`)));
  return xml(200, '<ChangeResourceRecordSetsResponse/>');
}

const services = { cloudflare, hetzner, digitalocean, route53, 'acme-dns': acmeDns };

// Returns {url, token, id, secret}; what a caller changes is expected from then on.
export async function dnsServices(t, provider) {
  const service = { token: 'token-of-the-test', id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI' };
  const server = http.createServer(async (request, answer) => {
    let text = '';
    for await (const piece of request) text += piece;
    const isJson = request.headers['content-type'] === 'application/json';
    const call = {
      method: request.method, url: new URL(request.url, 'http://service'), text,
      headers: request.headers, body: isJson ? JSON.parse(text) : null,
    };
    const { status, body } = await services[provider](call, service)
      .catch((failed) => json(500, { message: String(failed) }));
    answer.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  service.url = `http://127.0.0.1:${server.address().port}`;
  return service;
}
