/** Where names lead: the boundary of name servers, one folder for each kind. */
export type {
  CloudDnsSettings,
  DnsRecord,
  DnsReplaced,
  DnsServer,
  DnsSettings,
  DnsState,
  RecordType,
  Rfc2136Settings,
  TsigKey,
} from './dns.ts';
