/**
 * Where registries keep blobs and tokens besides their own domain, as seen in what they answer. Nothing else is ever
 * contacted on a registry's word: not its tokens' realm, nor where it redirects to.
 */
const OF_REGISTRY: readonly { readonly registry: RegExp; readonly hosts: RegExp }[] = [
  { registry: /(?:^|\.)docker\.io$/, hosts: /(?:^|\.)docker\.com$/ },
  { registry: /^ghcr\.io$/, hosts: /(?:^|\.)githubusercontent\.com$/ },
  { registry: /^registry\.gitlab\.com$/, hosts: /^cdn\.registry\.gitlab-static\.net$/ },
  { registry: /(?:^|\.)(?:gcr\.io|k8s\.io)$/, hosts: /(?:^|\.)pkg\.dev$/ },
];

/** The object stores that registries redirect to for blobs; what is read there has to have its digest. */
const OBJECT_STORES: readonly RegExp[] = [
  /(?:^|\.)storage\.googleapis\.com$/,
  /(?:^|\.)s3(?:[.-][a-z0-9.-]+)?\.amazonaws\.com(?:\.cn)?$/,
  /\.cloudfront\.net$/,
  /\.blob\.core\.windows\.net$/,
  /\.r2\.cloudflarestorage\.com$/,
  /\.oss-[a-z0-9-]+\.aliyuncs\.com$/,
];

/** Whether a registry may send its clients there for a token. Names without port. */
export function mayIssueTokens(host: string, registry: string): boolean {
  return isOneSite(host, registry) || isKnownOf(host, registry);
}

/** Whether a registry may send its clients there for a manifest or a blob. */
export function mayHoldContent(host: string, registry: string): boolean {
  return mayIssueTokens(host, registry) || OBJECT_STORES.some(store => store.test(host));
}

/**
 * The registry's own domain: itself, what is below it, and what shares its parent (`auth.acme.dev` for `registry.acme.dev`).
 * A parent that is no more than `dev` or `co.uk` is nobody's.
 */
function isOneSite(host: string, registry: string): boolean {
  if (host === registry || host.endsWith(`.${registry}`)) return true;
  if (!/[a-z]$/.test(registry)) return false;
  const parent = registry.slice(registry.indexOf('.') + 1);
  const isOwned = parent.includes('.') && !/^[a-z]{2,3}\.[a-z]{2}$/.test(parent);
  return isOwned && (host === parent || host.endsWith(`.${parent}`));
}

function isKnownOf(host: string, registry: string): boolean {
  return OF_REGISTRY.some(known => known.registry.test(registry) && known.hosts.test(host));
}
