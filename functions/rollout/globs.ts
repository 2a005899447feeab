/**
 * `*` stands for any text, `?` for one character. Tags are chosen by whoever pushes, so no tag may make this slow: only
 * the last star is ever tried again, which is enough.
 */
export function globMatches(glob: string, text: string): boolean {
  let [at, inText] = [0, 0];
  let [afterStar, resumeAt] = [-1, 0];
  while (inText < text.length) {
    if (glob[at] === '*') {
      at += 1;
      [afterStar, resumeAt] = [at, inText];
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === text[inText])) {
      at += 1;
      inText += 1;
    } else if (afterStar >= 0) {
      resumeAt += 1;
      [at, inText] = [afterStar, resumeAt];
    } else return false;
  }
  return /^\**$/.test(glob.slice(at));
}
