/** Paths that somebody reads as `/admin`, or as another path than the one that is written. */
export const TWO_READINGS: Readonly<Record<string, readonly string[]>> = {
  'a percent-encoded unreserved character': [
    ...['/%61dmin', '/%61%64%6d%69%6e', '/adm%69n/x', '/admi%6E', '/%41dmin', '/x%2Dy', '/x%2dy', '/%5fx', '/%5Fx'],
    ...['/%7Euser', '/%7euser', '/v%31', '/%30', '/%39', '/x/%2e', '/x%2ejs', '/%5a', '/%7a', '/%4f', '/%50'],
  ],
  'a percent-encoded slash, backslash or control character': [
    ...['/admin%2fx', '/admin%2Fx', '/x%5c..%5cadmin', '/x%5Cadmin', '/%2fadmin', '/%2f%2fadmin', '/x%2f', '/%5c'],
    ...['/admin%00/', '/admin%00.js', '/admin%0a', '/admin%0d%0aX:1', '/admin%09', '/%1f', '/%7f', '/x%0Badmin'],
    ...['/%c2%85', '/x%c2%80', '/%C2%9F'],
  ],
  'a double encoding': [
    ...['/x/%252e%252e/admin', '/%2561dmin', '/x%252fadmin', '/x%255cadmin', '/%252525', '/%2500', '/x%25%32%66y'],
    ...['/%25u002e%25u002e/admin', '/%25u2215admin', '/%25E4', '/a%25af'],
  ],
  'a dot segment': [
    ...['/../admin', '/x/../admin', '/x/./admin', '/./admin', '/x/..', '/x/.', '/.', '/..', '/x/%2e%2e/admin'],
    ...['/x/.%2e/admin', '/x/%2e./admin', '/x/%2E%2E/admin', '/x/..%2fadmin', '/%2e/admin', '/x/%2e'],
  ],
  'path parameters behind dots or nothing': [
    ...['/;/admin', '/x/..;/admin', '/x/.;/admin', '/x/..;v=1/admin', '/;x/admin', '/;', '/x/;', '/..;', '/x/..;x'],
    ...['/x/..%3b/admin', '/x/..%3B/admin', '/%3b/admin', '/x/;..;/admin', '/;v=1;w=2/admin', '/x/...;/admin'],
  ],
  'an empty segment': ['//admin', '/x//admin', '/x//', '///', '/x///admin', '//', '/admin//x', '//evil.example/x'],
  'a percent sign that encodes nothing, or no UTF-8': [
    ...['/%', '/100%', '/%a', '/%zz', '/%u0061dmin', '/x%2', '/%c0%ae%c0%ae/admin', '/%c0%af', '/x%c1%9cadmin', '/%ff'],
    ...['/%e0%80%af', '/%f0%80%80%af', '/%ed%a0%80', '/caf%e9', '/%80', '/%c3', '/%c3x', '/%f8%88%80%80%af', '/%fe'],
  ],
  'a character that has to be encoded, or is no path': [
    ...[
      '',
      'admin',
      '*',
      '\\admin',
      '/x\\..\\admin',
      '/x\\admin',
      '/a b',
      '/a\tb',
      '/a\nb',
      '/caf\u00e9',
      '/a?b',
      '/a#b',
    ],
    ...['/\u0000', '/a\u007f', 'http://host/admin', '/\uff0fadmin', '/a\u2028'],
  ],
};

/** Paths that every server reads alike. */
export const ORDINARY = [
  ...['/', '/chat', '/chat/', '/chat/7', '/a/b/c/d/e', '/room/general-talk', '/room/general_talk', '/~ada', '/a.b'],
  ...['/.well-known/x', '/v1.2/x', '/a..b', '/a/...', '/..a', '/a./b', '/index.html', '/user/ada@example.org'],
  ...['/user/ada%40example.org', '/user:7', '/urn:x:y', '/a%3Ab', '/hello%20world', '/a+b', '/a%2Bb', '/a,b', '/a=b'],
  ...['/a&b', '/a%26b', "/it's", '/a!b', '/a*b', '/(a)', '/$a', '/caf%C3%A9', '/caf%c3%a9', '/%E6%97%A5%E6%9C%AC'],
  ...['/%F0%9F%98%80', '/100%25', '/100%25/x', '/a%25%20b', '/a%3Fb', '/a%23b', '/room;v=1', '/room;v=1/7', '/a;b;c'],
  ...['/a%3Bb', '/%22quoted%22', '/%3Cb%3E', '/%5Bx%5D', '/%7Bid%7D', '/a%7Cb'],
];

/** Paths near one that is guarded, `/admin`. */
export const NEAR = [
  ...[
    '/admin',
    '/admin/',
    '/admin/x',
    '/adminx',
    '/xadmin',
    '/x/admin',
    '/admin.json',
    '/admin.',
    '/admin..',
    '/.admin',
  ],
  ...['/admin;', '/admin;v=1', '/admin;v=1/x', '/admin%3B', '/admin%3bv=1/x', '/x;/admin', '/admin;/../x', '/admin~'],
  ...['/admin%20', '/admin%20/x', '/admin%3F', '/admin%23', '/admin%3Fx', '/admin%25', '/admin%25/x', '/admin%c3%a9'],
  ...['/admin,x', '/admin!', '/admin*', '/admin:80', '/@admin', '/admin@x', '/admin+', '/admin%2B', '/admin%7C'],
  ...[
    '/%EF%BD%81dmin',
    '/admin%E3%80%82',
    '/admin%E2%80%AE',
    '/admin%E2%81%84x',
    '/admin%EF%BC%8Fx',
    '/admin%E2%80%8B',
  ],
  ...['/adm;in', '/a;dmin/admin', '/x/admin;v', '/admin/;', '/admin/..;/x', '/..;/admin', '/admin/%2e%2e/x'],
];
