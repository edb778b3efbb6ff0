/**
 * Where names are pointed elsewhere. Both calls may be made again: what is already as it is to be is found and left so.
 *
 * Both throw target-failed, target-unsuitable, timed-out, bad-usage for what is no name or value, and the reason of the signal.
 */
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'SRV';

/** What a name is to have of one type: this, and nothing else. */
export interface DnsRecord {
  name: string;
  type: RecordType;
  /** As in a zone's file: `192.0.2.1`, `db-eu.omni.example`, `10 5 5432 db-eu.omni.example`; of TXT the bare text. */
  value: string;
  ttlSeconds: number;
}

/** What the authoritative server says of a name. */
export interface DnsState {
  zone: string;
  /** The values that the name has of that type. */
  values: string[];
}

export interface DnsReplaced extends DnsState {
  /** The values that it had before. */
  before: string[];
  /** It had this value, and this TTL, already. */
  wasSo: boolean;
  /** Of the zone, once the server answers with the new value. */
  serial: number;
}

export interface DnsServer {
  /** Looks, and changes nothing. @param zone found out from the name when left out */
  look(record: DnsRecord, zone: string | undefined, signal: AbortSignal): Promise<DnsState>;
  /**
   * Gives a name this value of this type in place of those that it has, and returns once the server answers with it.
   * @throws source-changed where somebody else changed it at the same moment
   */
  replace(record: DnsRecord, zone: string | undefined, signal: AbortSignal): Promise<DnsReplaced>;
}

/** Which names are pointed elsewhere, by the provider of the step. */
export type DnsSettings = ({ provider: 'rfc2136' } & Rfc2136Settings) | ({ provider: 'cloud-dns' } & CloudDnsSettings);

export interface CloudDnsSettings {
  /** That of the credentials, when left out. */
  project?: string;
}

/** How a server that takes dynamic updates is reached. */
export interface Rfc2136Settings {
  /** `ns.example`, `192.0.2.1:5353`, `[2001:db8::1]:53`. */
  server: string;
  key?: TsigKey;
}

/** What messages are signed with. Without one, only the server's own rules keep others from updates. */
export interface TsigKey {
  name: string;
  algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
  /** In base64. */
  secret: string;
}
