import type { Damage } from "./file-digests.ts";

// The format: https://github.com/google/leveldb/blob/main/doc/log_format.md

const BLOCK_BYTES = 32_768;
/** CRC-32C (4), length (2), type (1). */
const HEADER_BYTES = 7;
/** FULL, FIRST, MIDDLE and LAST. */
const LAST_TYPE = 4;
const CRC_MASK_DELTA = 0xa282ead8;

/** The Castagnoli polynomial, reversed. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value >>> 0;
});

function maskedCrc(content: Buffer, from: number, to: number): number {
  let crc = 0xffffffff;
  for (let at = from; at < to; at++) crc = (TABLE[(crc ^ (content[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + CRC_MASK_DELTA) >>> 0;
}

/**
 * Finds a damaged record in a log of LevelDB. LevelDB itself silently skips such records.
 *
 * A process that is killed can leave a record that ends with the file, before its own end. Such a record was never
 * acknowledged, so it is no damage.
 *
 * @param file The path of the log, for the message.
 */
export function findDamagedRecord(file: string, content: Buffer): Damage | undefined {
  const damagedAt = (at: number): Damage => ({
    file,
    what: `the record at byte ${at} is not the one that was written`,
  });
  for (let at = 0; at < content.length; ) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    if (at + HEADER_BYTES > content.length) return undefined;
    const length = content.readUInt16LE(at + 4);
    const type = content[at + 6] ?? 0;
    const end = at + HEADER_BYTES + length;
    if (HEADER_BYTES + length > left || type < 1 || type > LAST_TYPE) return damagedAt(at);
    if (end > content.length) return undefined;
    if (content.readUInt32LE(at) !== maskedCrc(content, at + 6, end)) return damagedAt(at);
    at = end;
  }
  return undefined;
}
