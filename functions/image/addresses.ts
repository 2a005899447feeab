import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/**
 * This machine and its link, where the metadata server lives: a registry that sends us there wants our credentials.
 * Private ranges are allowed, for Private Service Connect gives Google's own storage host such an address.
 */
const FORBIDDEN = new BlockList();
for (const [address, hex, bits] of [
  ['0.0.0.0', '0', 8],
  ['127.0.0.0', '7f00', 8],
  ['169.254.0.0', 'a9fe', 16],
] as const) {
  FORBIDDEN.addSubnet(address, bits, 'ipv4');
  // The same addresses inside of others, which translators on the way take apart: RFC 4291 (2.5.5.1; `::` and `::1` are
  // among them), RFC 6052, RFC 8215, RFC 2765.
  for (const prefix of ['::', '64:ff9b::', '64:ff9b:1::', '::ffff:0:']) {
    FORBIDDEN.addSubnet(`${prefix}${address}`, 96 + bits, 'ipv6');
  }
  // 6to4, RFC 3056.
  FORBIDDEN.addSubnet(`2002:${hex}::`, 16 + bits, 'ipv6');
}
/** Teredo, RFC 4380, hides the address that it leads to. */
FORBIDDEN.addSubnet('2001::', 32, 'ipv6');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');
FORBIDDEN.addAddress('fd20:ce::254', 'ipv6');

export type AddressesOf = (hostname: string) => Promise<readonly string[]>;

/** Empty when the name does not resolve: the request itself will say so. */
export async function resolveAddresses(hostname: string): Promise<readonly string[]> {
  try {
    return (await lookup(hostname, { all: true })).map(found => found.address);
  } catch {
    return [];
  }
}

/** Whether a host that somebody else chose leads to this machine or its metadata server. */
export async function isForbiddenHost(url: URL, addressesOf: AddressesOf): Promise<boolean> {
  const hostname = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true;
  const addresses = isIP(hostname) ? [hostname] : await addressesOf(hostname);
  return addresses.some(address => FORBIDDEN.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'));
}
