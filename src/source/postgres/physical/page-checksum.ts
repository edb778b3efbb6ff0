/** Source: PostgreSQL's src/include/storage/checksum_impl.h. */
const LANES = 32;
const PRIME = 16777619;
const BASES = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

/**
 * The checksum of a page whose checksum field is zero: 32 hashes of the kind FNV-1a over every 32nd word, folded to 16 bits.
 * @param words the page, whole
 * @param block the page's number in its relation
 */
export function pageChecksum(words: Int32Array, block: number): number {
  let result = 0;
  // Four lanes at a time: each is a chain of multiplications that wait for one another.
  for (let lane = 0; lane < LANES; lane += 4) {
    let a = BASES[lane]!;
    let b = BASES[lane + 1]!;
    let c = BASES[lane + 2]!;
    let d = BASES[lane + 3]!;
    for (let at = lane; at < words.length; at += LANES) {
      a ^= words[at]!;
      a = Math.imul(a, PRIME) ^ (a >>> 17);
      b ^= words[at + 1]!;
      b = Math.imul(b, PRIME) ^ (b >>> 17);
      c ^= words[at + 2]!;
      c = Math.imul(c, PRIME) ^ (c >>> 17);
      d ^= words[at + 3]!;
      d = Math.imul(d, PRIME) ^ (d >>> 17);
    }
    result ^= twoEmptyRounds(a) ^ twoEmptyRounds(b) ^ twoEmptyRounds(c) ^ twoEmptyRounds(d);
  }
  return (((result ^ block) >>> 0) % 65535) + 1;
}

function twoEmptyRounds(hash: number): number {
  const once = Math.imul(hash, PRIME) ^ (hash >>> 17);
  return Math.imul(once, PRIME) ^ (once >>> 17);
}
