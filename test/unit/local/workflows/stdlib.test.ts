// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { createWorld, evaluated, execute, json, raisedBy, resultOf, start } from './support.ts';

describe('text', () => {
  test.each<[string, unknown]>([
    ['text.split("a,b,,c", ",")', ['a', 'b', '', 'c']],
    ['text.substring("Workflows", 4, 8)', 'flow'],
    ['text.substring("äöü", 1, 2)', 'ö'],
    ['text.to_upper("abc") + text.to_lower("ABC")', 'ABCabc'],
    ['text.find_all("ababa", "ba")', [1, 3]],
    [
      'text.find_all_regex("HelloWorld", "Hello|World")',
      [
        { index: 0, match: 'Hello' },
        { index: 5, match: 'World' },
      ],
    ],
    ['text.find_all_regex("äab", "a|ab")', [{ index: 1, match: 'ab' }]],
    ['text.match_regex("v1.2.3", "^v[[:digit:]]+\\\\.")', true],
    ['text.match_regex("abc", "(?i)B")', true],
    ['text.replace_all("a.b.c", ".", "$&")', 'a$&b$&c'],
    ['text.replace_all_regex("one two", "one|two", "three")', 'three three'],
    ['text.replace_all_regex("aXb", "(a)X", "\\\\1")', '\\1b'],
    ['text.url_encode("a b~/ä")', 'a%20b%7E%2F%C3%A4'],
    ['text.url_encode_plus("a/b/c?item=d+e f")', 'a%2Fb%2Fc%3Fitem%3Dd%2Be+f'],
    ['text.url_decode("a%2Fb+c")', 'a/b c'],
    ['text.decode(text.encode("zwölf"))', 'zwölf'],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test.each([
    ['text.split("a", "")', 'ValueError'],
    ['text.split(1, ",")', 'TypeError'],
    ['text.match_regex("a", "(")', 'ValueError'],
    ['text.match_regex("a", "(?=a)")', 'ValueError'],
    ['text.encode("a", "klingon")', 'ValueError'],
    ['text.decode(base64.decode("/w=="))', 'ValueError'],
    ['text.substring("abc", 2, 9)', 'ValueError'],
  ])('%s raises a %s', async (expression, tag) => {
    expect((await raisedBy(expression)).tags).toContain(tag);
  });
});

describe('json, base64 and hash', () => {
  test.each<[string, unknown]>([
    ['json.decode("{\\"b\\": 1, \\"a\\": [1.5]}")', { a: [1.5], b: 1 }],
    ['json.encode_to_string({"b": 1, "a": 2.0})', '{"a":2,"b":1}'],
    ['json.encode_to_string({"a": [1]}, true)', '{\n  "a": [\n    1\n  ]\n}'],
    ['json.encode_to_string([1], {"prefix": ">", "indent": " "})', '[\n> 1\n>]'],
    ['base64.encode(text.encode("Hi!?"))', 'SGkhPw=='],
    ['base64.encode(text.encode("Hi!?"), false)', 'SGkhPw'],
    ['text.decode(base64.decode("SGkhPw=="))', 'Hi!?'],
    [
      'base64.encode(hash.compute_checksum(text.encode("Hello World"), "SHA256"))',
      'pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=',
    ],
    [
      'base64.encode(hash.compute_hmac(text.encode("key"), text.encode("Hello World"), "SHA256"))',
      'QidPcoCDkuWLV9co1+PA5RY+rwfRZdwDEF9iq74afRE=',
    ],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test.each([
    ['json.decode("{")', 'ValueError'],
    ['json.decode(1)', 'TypeError'],
    ['base64.decode("a*b")', 'ValueError'],
    ['hash.compute_checksum("text", "SHA256")', 'TypeError'],
    ['hash.compute_checksum(text.encode("a"), "CRC")', 'ValueError'],
  ])('%s raises a %s', async (expression, tag) => {
    expect((await raisedBy(expression)).tags).toContain(tag);
  });
});

describe('list, map and math', () => {
  test.each<[string, unknown]>([
    ['list.concat([1], [2])', [1, [2]]],
    ['list.prepend([1], 0)', [0, 1]],
    ['map.get({"a": {"b": 1}}, ["a", "b"])', 1],
    ['map.get({"a": 1}, "x")', null],
    ['map.get(null, "x")', null],
    ['map.delete({"a": 1, "b": 2}, "a")', { b: 2 }],
    ['map.merge({"a": {"x": 1}}, {"a": {"y": 2}})', { a: { y: 2 } }],
    ['map.merge_nested({"a": {"x": 1}}, {"a": {"y": 2}})', { a: { x: 1, y: 2 } }],
    ['[math.abs(-3), math.abs(-1.5), math.floor(-1.5), math.floor(2)]', [3, 1.5, -2, 2]],
    ['[math.max(1, 2), math.min(1, 2.5), get_type(math.max(1, 2.5))]', [2, 1, 'double']],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test.each([
    ['list.concat({}, 1)', 'TypeError'],
    ['map.get({}, 1)', 'TypeError'],
    ['map.merge({}, [])', 'TypeError'],
    ['math.abs(-9223372036854775808)', 'ValueError'],
  ])('%s raises a %s', async (expression, tag) => {
    expect((await raisedBy(expression)).tags).toContain(tag);
  });
});

describe('time', () => {
  test.each<[string, unknown]>([
    ['time.format(1720788633)', '2024-07-12T12:50:33.000000Z'],
    ['time.format(1720788633, "GMT")', '2024-07-12T12:50:33.000000Z'],
    ['time.format(1720788633, "Europe/Paris")', '2024-07-12T14:50:33.000000+02:00'],
    ['time.format(1720788633.5, "America/St_Johns")', '2024-07-12T10:20:33.500000-02:30'],
    ['time.parse("2024-07-12T14:50:33.250001+02:00")', 1720788633.250001],
    ['time.parse("2024-05-08T11:21:00Z")', 1715167260],
  ])('%s', async (expression, expected) => {
    expect(await evaluated(expression)).toEqual(expected);
  });

  test.each([
    ['time.parse("yesterday")', 'ValueError'],
    ['time.parse("2024-06-31T00:00:00Z")', 'ValueError'],
    ['time.parse(1)', 'TypeError'],
    ['time.format(0, "Mars/Base")', 'ValueError'],
  ])('%s raises a %s', async (expression, tag) => {
    expect((await raisedBy(expression)).tags).toContain(tag);
  });
});

describe('sys', () => {
  test('get_env knows the built-in and the deployed variables', async () => {
    const world = createWorld();
    const source = `- s:
    return:
      - \${sys.get_env("GOOGLE_CLOUD_PROJECT_ID")}
      - \${sys.get_env("GOOGLE_CLOUD_LOCATION")}
      - \${sys.get_env("GOOGLE_CLOUD_WORKFLOW_ID")}
      - \${sys.get_env("GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID")}
      - \${sys.get_env("OWN")}
      - \${sys.get_env("OTHER", "fallback")}`;
    const { name } = start(world, source, undefined, { OWN: 'mine' });
    await world.clock.advance(0);
    expect(JSON.parse(world.core.getExecution(name).result ?? '')).toEqual([
      'acme',
      'us-central1',
      'tested',
      name.split('/').at(-1),
      'mine',
      'fallback',
    ]);
  });

  test('get_env of a name that is not set raises a KeyError', async () => {
    expect((await raisedBy('sys.get_env("OTHER")')).tags).toEqual(['KeyError', 'LookupError']);
  });

  test('log entries have severity and text or JSON', async () => {
    const world = createWorld();
    await execute(
      `- a: {call: sys.log, args: ["\${[1]}", ERROR]}
- b: {call: sys.log, args: {json: {k: 1}, severity: NOTICE}}
- c: {call: sys.log, args: {text: 7}}`,
      undefined,
      world,
    );
    expect(world.logs).toMatchObject([
      { severity: 'ERROR', textPayload: '[1]' },
      { severity: 'NOTICE', jsonPayload: { k: 1 } },
      { severity: 'DEFAULT', textPayload: '7' },
    ]);
  });

  test('log wants exactly one payload', async () => {
    const { error } = await execute('- a: {call: sys.log, args: {text: a, data: b}}\n');
    expect(error?.payload).toContain('TypeError');
  });

  test('uuid.generate makes version 4 identifiers', async () => {
    expect(await evaluated('uuid.generate()')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe('http', () => {
  test('a request carries query, headers, JSON body and a token that says what it stands for', async () => {
    const world = createWorld();
    const source = `
- ask:
    call: http.post
    args:
      url: http://x/path?a=1
      query: {b: "2 3", c: [1, true]}
      headers: {X-Own: "\${1 + 1}", User-Agent: mine}
      auth: {type: OIDC, audience: http://x}
      body: {n: 1.5, list: [null]}
    result: r
- out: {return: "\${r}"}`;
    world.answer = async () => json(201, { ok: true }, { 'x-trace-id': 't' });
    expect(await resultOf(source, undefined, world)).toEqual({
      body: { ok: true },
      code: 201,
      headers: { 'Content-Type': 'application/json', 'X-Trace-Id': 't' },
    });
    const [request] = world.requests;
    expect(request?.method).toBe('POST');
    expect(request?.url).toBe('http://x/path?a=1&b=2%203&c=1&c=true');
    expect(request?.headers['X-Own']).toBe('2');
    expect(request?.headers['User-Agent']).toBe(
      'mine GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)',
    );
    expect(request?.headers['Content-Type']).toBe('application/json; charset=utf-8');
    expect(request?.body?.toString()).toBe('{"list":[null],"n":1.5}');
    const token = request?.headers['Authorization'] ?? '';
    expect(token).toMatch(/^Bearer local-oidc\./);
    expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())).toEqual({
      aud: 'http://x',
      email: 'workflows@acme.iam.gserviceaccount.com',
    });
  });

  test('bodies are encoded as the content type says', async () => {
    const world = createWorld();
    await execute(
      `
- a: {call: http.put, args: {url: "http://x", body: "\${text.encode(\\"raw\\")}"}}
- b: {call: http.patch, args: {url: "http://x", headers: {content-type: application/x-www-form-urlencoded}, body: {a: 1, b: x y}}}
- c: {call: http.delete, args: {url: "http://x", headers: {Content-Type: text/plain}, body: plain}}
- d: {call: http.request, args: {method: OPTIONS, url: "http://x"}}`,
      undefined,
      world,
    );
    expect(world.requests.map(request => [request.method, request.body?.toString()])).toEqual([
      ['PUT', 'raw'],
      ['PATCH', 'a=1&b=x+y'],
      ['DELETE', 'plain'],
      ['OPTIONS', undefined],
    ]);
    expect(world.requests[0]?.headers['Content-Type']).toBe('application/octet-stream');
  });

  test('answers are JSON, text or bytes by their content type', async () => {
    const world = createWorld();
    const types = ['application/problem+json', 'text/plain', 'image/png'];
    let next = 0;
    world.answer = async () => ({
      status: 200,
      headers: { 'content-type': types[next++] ?? '' },
      body: Buffer.from('[1]'),
    });
    const source = `
- a: {call: http.get, args: {url: "http://x"}, result: a}
- b: {call: http.get, args: {url: "http://x"}, result: b}
- c: {call: http.get, args: {url: "http://x"}, result: c}
- out: {return: "\${[a.body, b.body, get_type(c.body)]}"}`;
    expect(await resultOf(source, undefined, world)).toEqual([[1], '[1]', 'bytes']);
  });

  test.each([
    ['{url: "ftp://x"}', 'ValueError'],
    ['{url: "http://x", timeout: 1801}', 'ValueError'],
    ['{url: "http://x", auth: {type: Basic}}', 'ValueError'],
    ['{url: "http://x", headers: [a]}', 'TypeError'],
    ['{url: 1}', 'TypeError'],
  ])('http.get with %s raises a %s', async (args, tag) => {
    const { error } = await execute(`- s: {call: http.get, args: ${args}}\n`);
    expect(JSON.parse(error?.payload ?? '').tags).toContain(tag);
  });
});
