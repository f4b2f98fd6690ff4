package io.embed4j.server;

import java.net.Inet4Address;
import java.net.InetAddress;

/** Which addresses belong to the public internet: those of the IANA special-purpose registries do not. */
final class AddressRules {
  /** IPv4: address and prefix length. */
  private static final long[][] SPECIAL = {
      {ip(0, 0, 0, 0), 8}, {ip(10, 0, 0, 0), 8}, {ip(100, 64, 0, 0), 10}, {ip(127, 0, 0, 0), 8}, {ip(169, 254, 0, 0), 16},
      {ip(172, 16, 0, 0), 12}, {ip(192, 0, 0, 0), 24}, {ip(192, 0, 2, 0), 24}, {ip(192, 88, 99, 0), 24},
      {ip(192, 168, 0, 0), 16}, {ip(198, 18, 0, 0), 15}, {ip(198, 51, 100, 0), 24}, {ip(203, 0, 113, 0), 24},
      {ip(224, 0, 0, 0), 4}, {ip(240, 0, 0, 0), 4}};

  private AddressRules() {}

  /**
   * Whether an address is public. Of IPv6 only global unicast, 2000::/3, without the blocks that embed or tunnel to other
   * addresses (2001::/23 with Teredo, 2002::/16 of 6to4) and those for documentation; what maps IPv4 (::ffff:0:0/96, which
   * Java reads as IPv4, 64:ff9b::/96 of NAT64) lies outside of it.
   */
  static boolean isPublic(InetAddress address) {
    byte[] bytes = address.getAddress();
    if (address instanceof Inet4Address) {
      long value = ip(bytes[0] & 255, bytes[1] & 255, bytes[2] & 255, bytes[3] & 255);
      for (long[] block : SPECIAL) {
        if (value >> 32 - block[1] == block[0] >> 32 - block[1]) return false;
      }
      return true;
    }
    int first = (bytes[0] & 255) << 8 | bytes[1] & 255;
    int second = (bytes[2] & 255) << 8 | bytes[3] & 255;
    boolean global = first >>> 13 == 1;
    boolean protocols = first == 0x2001 && second < 0x200;
    boolean documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff && second < 0x1000;
    return global && !protocols && !documentation && first != 0x2002;
  }

  private static long ip(int a, int b, int c, int d) {
    return (long) a << 24 | b << 16 | c << 8 | d;
  }
}
