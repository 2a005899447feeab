export type Random = () => number;

/** sfc32 by C. Doty-Humphrey (PractRand): numbers from 0 up to 1, the same for the same seeds. */
export function randomFrom(...seeds: readonly number[]): Random {
  let [a = 0, b = 0, c = 0] = seeds.map(seed => seed | 0);
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  return next;
}

/** Draws from the Poisson distribution with this mean, exactly. */
export function poisson(mean: number): (random: Random) => number {
  return mean < 10 ? byInversion(mean) : byRejection(mean);
}

function byInversion(mean: number): (random: Random) => number {
  const none = Math.exp(-mean);
  return random => {
    let left = random();
    let probability = none;
    let count = 0;
    while (left > probability && count < 1000) {
      left -= probability;
      count += 1;
      probability *= mean / count;
    }
    return count;
  };
}

/** W. Hörmann: The transformed rejection method for generating Poisson random variables (1993), PTRS. */
function byRejection(mean: number): (random: Random) => number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const logInverseAlpha = Math.log(1.1239 + 1.1328 / (b - 3.4));
  const sure = 0.9277 - 3.6224 / (b - 2);
  const logMean = Math.log(mean);
  return random => {
    for (;;) {
      const u = random() - 0.5;
      const v = random();
      const us = 0.5 - Math.abs(u);
      const count = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
      if (us >= 0.07 && v <= sure) return count;
      if (count < 0 || (us < 0.013 && v > us)) continue;
      const density = count * logMean - mean - logFactorial(count);
      if (Math.log(v) + logInverseAlpha - Math.log(a / (us * us) + b) <= density) return count;
    }
  };
}

const SMALL = [0];
for (let n = 1; n < 16; n++) SMALL.push((SMALL[n - 1] ?? 0) + Math.log(n));

/** Stirling's series. */
function logFactorial(n: number): number {
  if (n < SMALL.length) return SMALL[n] ?? 0;
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n) - 1 / (360 * n ** 3);
}
