// Naming some of many: nobody reads a message that names a thousand servers.

/** `a, b, c, …`: the first of `names`. */
export function nameSome(names: readonly string[], most = 5): string {
  return names.slice(0, most).join(', ') + (names.length > most ? ', …' : '');
}

/** `a, b, c, … (12)`: with how many there are, where nothing else says so. */
export function nameSomeAndCount(names: readonly string[], most = 5): string {
  return nameSome(names, most) + (names.length > most ? ` (${names.length})` : '');
}
