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

/**
 * Providers that give every customer a name of his own below these: whoever shares such a parent is somebody else. They
 * stand for the public suffix list, which changes weekly, and hold where registries are seen.
 */
const SHARED_PARENTS: ReadonlySet<string> = new Set([
  // Registries.
  ...['azurecr.io', 'azurecr.cn', 'azurecr.us', 'jfrog.io', 'cr.aliyuncs.com', 'cr.cloud.ru'],
  // Clouds.
  ...['amazonaws.com', 'amazonaws.com.cn', 'on.aws', 'awsapprunner.com', 'elasticbeanstalk.com'],
  ...['cloudfront.net', 'run.app', 'appspot.com', 'cloudfunctions.net', 'web.app', 'firebaseapp.com'],
  ...[
    'azurewebsites.net',
    'azurecontainer.io',
    'azurecontainerapps.io',
    'cloudapp.net',
    'cloudapp.azure.com',
  ],
  ...['azure-api.net', 'azurefd.net', 'azureedge.net', 'windows.net', 'trafficmanager.net'],
  ...['ondigitalocean.app', 'digitaloceanspaces.com', 'linodeobjects.com', 'your-server.de', 'ovh.net'],
  ...['r2.dev', 'cloudflarestorage.com', 'workers.dev', 'pages.dev', 'aliyuncs.com', 'myqcloud.com'],
  // Places to host.
  ...['github.io', 'github.dev', 'gitlab.io', 'herokuapp.com', 'fly.dev', 'onrender.com', 'vercel.app'],
  ...['netlify.app', 'railway.app', 'deno.dev', 'glitch.me', 'repl.co', 'replit.app', 'surge.sh'],
  // Tunnels and names for addresses.
  ...['ngrok.io', 'ngrok.app', 'ngrok.dev', 'ngrok-free.app', 'ngrok-free.dev', 'trycloudflare.com'],
  ...['devtunnels.ms', 'loca.lt', 'lhr.life', 'duckdns.org', 'no-ip.org', 'ddns.net', 'dyndns.org'],
  ...['nip.io', 'sslip.io', 'traefik.me'],
  // Domains below domains.
  ...['uk.com', 'us.com', 'eu.com', 'de.com', 'br.com', 'cn.com', 'ru.com', 'sa.com', 'za.com', 'jpn.com'],
  ...['co.com', 'gb.net', 'uk.net', 'se.net', 'us.org', 'eu.org'],
]);
/** `co.uk`, `com.au`, `name.my` */
const SECOND_LEVEL = /^(?:[a-z]{2,3}|name|info|asso|gouv|govt|school|store|firm|priv)\.[a-z]{2}$/;

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
 * A parent that is no more than `dev` or `co.uk` is nobody's, and one below `azurecr.io` is its provider's.
 */
function isOneSite(host: string, registry: string): boolean {
  if (host === registry || host.endsWith(`.${registry}`)) return true;
  if (!/[a-z]$/.test(registry)) return false;
  const parent = registry.slice(registry.indexOf('.') + 1);
  const isOwned = parent.includes('.') && !SECOND_LEVEL.test(parent) && !isShared(parent);
  return isOwned && (host === parent || host.endsWith(`.${parent}`));
}

/** The domain itself, or anything below it: providers put regions and the like in between (`a.run.app`). */
function isShared(domain: string): boolean {
  const labels = domain.split('.');
  return labels.some((_, index) => SHARED_PARENTS.has(labels.slice(index).join('.')));
}

function isKnownOf(host: string, registry: string): boolean {
  // Azure's data endpoints: `acme.westeurope.data.azurecr.io` for `acme.azurecr.io`.
  const [, name] = /^([a-z0-9-]+)\.azurecr\.io$/.exec(registry) ?? [];
  if (
    name !== undefined &&
    host.startsWith(`${name}.`) &&
    /^[a-z0-9-]+\.[a-z0-9]+\.data\.azurecr\.io$/.test(host)
  ) {
    return true;
  }
  return OF_REGISTRY.some(known => known.registry.test(registry) && known.hosts.test(host));
}
