/** A place on Earth, near enough to tell which region is nearest. */
export interface Place {
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  /** As a Google load balancer fills in `{client_region_subdivision},{client_city}`. */
  readonly clientLocation: string;
}

/** By region prefix, the longest that fits. */
const REGIONS: Readonly<Record<string, Place>> = {
  'us-central': place(41.3, -95.9, 'USIA,Council Bluffs'),
  'us-east1': place(33.2, -80.0, 'USSC,Charleston'),
  'us-east': place(39.0, -77.5, 'USVA,Ashburn'),
  'us-south': place(32.8, -96.8, 'USTX,Dallas'),
  'us-west': place(37.8, -122.4, 'USCA,San Francisco'),
  'northamerica-northeast': place(45.5, -73.6, 'CAQC,Montreal'),
  'northamerica-south': place(20.6, -100.4, 'MXQUE,Queretaro'),
  'southamerica-east': place(-23.5, -46.6, 'BRSP,Sao Paulo'),
  'southamerica-west': place(-33.4, -70.7, 'CLRM,Santiago'),
  'europe-north': place(60.6, 27.2, 'FI09,Hamina'),
  'europe-central': place(52.2, 21.0, 'PL14,Warsaw'),
  'europe-southwest': place(40.4, -3.7, 'ESMD,Madrid'),
  'europe-west1': place(50.4, 3.8, 'BEWHT,Mons'),
  'europe-west2': place(51.5, -0.1, 'GBENG,London'),
  'europe-west4': place(53.4, 6.8, 'NLGR,Groningen'),
  'europe-west': place(50.1, 8.7, 'DEHE,Frankfurt'),
  'asia-east1': place(24.1, 120.5, 'TWCHA,Changhua'),
  'asia-east': place(22.3, 114.2, 'HKHK,Hong Kong'),
  'asia-northeast3': place(37.6, 127.0, 'KR11,Seoul'),
  'asia-northeast': place(35.7, 139.7, 'JP13,Tokyo'),
  'asia-southeast': place(1.35, 103.8, 'SGSG,Singapore'),
  'asia-south': place(19.1, 72.9, 'INMH,Mumbai'),
  'australia-': place(-33.9, 151.2, 'AUNSW,Sydney'),
  'me-west': place(32.1, 34.8, 'ILTA,Tel Aviv'),
  'me-central': place(25.3, 51.5, 'QADA,Doha'),
  'africa-': place(-26.2, 28.0, 'ZAGP,Johannesburg'),
};

/** Short names for callers, beside the names of regions. */
const CALLERS: Readonly<Record<string, Place>> = {
  us: place(40.7, -74.0, 'USNY,New York'),
  eu: place(48.9, 2.4, 'FRIDF,Paris'),
  asia: place(34.7, 135.5, 'JP27,Osaka'),
};

/** Undefined for a region that is on no known continent. */
export function placeOfRegion(region: string): Place | undefined {
  const prefixes = Object.keys(REGIONS).filter(prefix => region.startsWith(prefix));
  const longest = prefixes.sort((one, other) => other.length - one.length)[0];
  return longest === undefined ? undefined : REGIONS[longest];
}

/** @param name `us`, `eu`, `asia` or the name of a region */
export function placeOfCaller(name: string): Place | undefined {
  return CALLERS[name] ?? placeOfRegion(name);
}

export const CALLER_NAMES: readonly string[] = Object.keys(CALLERS);

/** Nearest first; regions of unknown place last. Equally near ones stay in the order given. */
export function byDistance(from: Place, regions: readonly string[]): string[] {
  const distances = regions.map(region => {
    const to = placeOfRegion(region);
    return { region, distance: to ? angleBetween(from, to) : Number.POSITIVE_INFINITY };
  });
  return distances.sort((one, other) => compare(one.distance, other.distance)).map(({ region }) => region);
}

function compare(one: number, other: number): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** In radians, along the great circle. */
function angleBetween(one: Place, other: Place): number {
  const [a, b] = [radians(one.latitude), radians(other.latitude)];
  const turn = radians(one.longitude - other.longitude);
  const cosine = Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(turn);
  return Math.acos(Math.min(1, Math.max(-1, cosine)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

function place(latitude: number, longitude: number, clientLocation: string): Place {
  return { latitude, longitude, clientLocation };
}
