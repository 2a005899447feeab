import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/**
 * This machine and its link, where the metadata server lives: a registry that sends us there wants our credentials.
 * Private ranges are allowed, for Private Service Connect gives Google's own storage host such an address.
 */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('127.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addAddress('::', 'ipv6');
FORBIDDEN.addAddress('::1', 'ipv6');
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
