// "did you mean": how like two words are.

/** The known name that is most like the word: at most a third of its letters are wrong, or it is no likeness. */
export function nearestName(word: string, known: readonly string[]): string | undefined {
  const limit = Math.floor(word.length / 3);
  const ranked = known.map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }));
  return ranked.sort((a, b) => a.distance - b.distance).find(({ distance }) => distance <= limit)?.name;
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment distance). */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(at(i - 1, j - 1) + (same ? 0 : 1), at(i - 1, j) + 1, at(i, j - 1) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, at(i - 2, j - 2) + 1);
      row.push(least);
    }
  }
  return at(a.length, b.length);
}
