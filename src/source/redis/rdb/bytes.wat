;; What reading an RDB costs most: its checksum, its compression, and digests of what it holds. All of it works in the
;; memory that the bytes lie in; ./bytes.ts says where what is.
(module
  (memory (export "memory") 4 65536)

  ;; The checksum so far. Its eight tables of 256 words stand at address 0.
  (global $crc (mut i64) (i64.const 0))
  ;; A string's hash: while it is taken, and once it is whole.
  (global $h (mut i64) (i64.const 0))
  (global $string (mut i64) (i64.const 0))
  ;; Of a key and its value, as far as they were taken: the key, the field that waits for its value, the value.
  (global $key (mut i64) (i64.const 0))
  (global $field (mut i64) (i64.const 0))
  (global $value (mut i64) (i64.const 0))
  ;; While entries are taken: where the next byte is, where those end that are there, and the last string that was whole.
  (global $at (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (global $from (mut i32) (i32.const 0))
  (global $to (mut i32) (i32.const 0))

  ;; CRC-64 of Jones' polynomial, reflected.
  (func (export "begin")
    (local $n i32) (local $bit i32) (local $c i64)
    (loop $table
      (local.set $c (i64.extend_i32_u (i32.and (local.get $n) (i32.const 255))))
      (if (i32.lt_u (local.get $n) (i32.const 256))
        (then
          (local.set $bit (i32.const 0))
          (loop $bits
            (local.set $c
              (select
                (i64.xor (i64.shr_u (local.get $c) (i64.const 1)) (i64.const 0x95ac9329ac4bc9b5))
                (i64.shr_u (local.get $c) (i64.const 1))
                (i32.wrap_i64 (i64.and (local.get $c) (i64.const 1)))))
            (local.set $bit (i32.add (local.get $bit) (i32.const 1)))
            (br_if $bits (i32.lt_u (local.get $bit) (i32.const 8)))))
        (else
          (local.set $c (i64.load (i32.shl (i32.sub (local.get $n) (i32.const 256)) (i32.const 3))))
          (local.set $c
            (i64.xor
              (i64.shr_u (local.get $c) (i64.const 8))
              (i64.load (i32.shl (i32.wrap_i64 (i64.and (local.get $c) (i64.const 255))) (i32.const 3)))))))
      (i64.store (i32.shl (local.get $n) (i32.const 3)) (local.get $c))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $table (i32.lt_u (local.get $n) (i32.const 2048))))
    (global.set $crc (i64.const 0)))

  (func $look (param $table i32) (param $byte i64) (result i64)
    (i64.load (i32.add (local.get $table)
      (i32.shl (i32.wrap_i64 (i64.and (local.get $byte) (i64.const 255))) (i32.const 3)))))

  ;; Takes bytes into the checksum.
  (func (export "check") (param $at i32) (param $end i32)
    (local $c i64)
    (local.set $c (global.get $crc))
    (block $rest
      (loop $words
        (br_if $rest (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 8)))
        (local.set $c (i64.xor (local.get $c) (i64.load (local.get $at))))
        (local.set $c
          (i64.xor
            (i64.xor
              (i64.xor
                (call $look (i32.const 14336) (local.get $c))
                (call $look (i32.const 12288) (i64.shr_u (local.get $c) (i64.const 8))))
              (i64.xor
                (call $look (i32.const 10240) (i64.shr_u (local.get $c) (i64.const 16)))
                (call $look (i32.const 8192) (i64.shr_u (local.get $c) (i64.const 24)))))
            (i64.xor
              (i64.xor
                (call $look (i32.const 6144) (i64.shr_u (local.get $c) (i64.const 32)))
                (call $look (i32.const 4096) (i64.shr_u (local.get $c) (i64.const 40))))
              (i64.xor
                (call $look (i32.const 2048) (i64.shr_u (local.get $c) (i64.const 48)))
                (call $look (i32.const 0) (i64.shr_u (local.get $c) (i64.const 56)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $words)))
    (block $done
      (loop $bytes
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $c
          (i64.xor
            (i64.shr_u (local.get $c) (i64.const 8))
            (call $look (i32.const 0) (i64.xor (local.get $c) (i64.extend_i32_u (i32.load8_u (local.get $at)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (global.set $crc (local.get $c)))

  ;; Writes the checksum to an address; another one begins.
  (func (export "checked") (param $to i32)
    (i64.store (local.get $to) (global.get $crc))
    (global.set $crc (i64.const 0)))

  (func $mix (param $x i64) (result i64)
    (local.set $x (i64.mul (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 30))) (i64.const 0xbf58476d1ce4e5b9)))
    (local.set $x (i64.mul (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27))) (i64.const 0x94d049bb133111eb)))
    (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 31))))

  (func $block (param $k i64)
    (local.set $k (i64.mul (local.get $k) (i64.const 0xc6a4a7935bd1e995)))
    (local.set $k (i64.xor (local.get $k) (i64.shr_u (local.get $k) (i64.const 47))))
    (local.set $k (i64.mul (local.get $k) (i64.const 0xc6a4a7935bd1e995)))
    (global.set $h (i64.mul (i64.xor (global.get $h) (local.get $k)) (i64.const 0xc6a4a7935bd1e995))))

  ;; A string begins; more of it, in multiples of eight bytes but for the last; it ends with that length.
  (func $open (export "open") (global.set $h (i64.const 0x9e3779b97f4a7c15)))
  (func $more (export "more") (param $at i32) (param $end i32)
    (block $rest
      (loop $words
        (br_if $rest (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 8)))
        (call $block (i64.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $words)))
    ;; What is behind the string belongs to the memory, and is masked away.
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (call $block
          (i64.and
            (i64.load (local.get $at))
            (i64.sub
              (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (i32.sub (local.get $end) (local.get $at)) (i32.const 3))))
              (i64.const 1)))))))
  (func $close (export "close") (param $length f64)
    (global.set $string
      (call $mix (i64.xor (global.get $h) (i64.mul (i64.trunc_f64_u (local.get $length)) (i64.const 0xd6e8feb86659fd93))))))
  (func $text (export "text") (param $at i32) (param $end i32)
    (call $open)
    (call $more (local.get $at) (local.get $end))
    (call $close (f64.convert_i32_u (i32.sub (local.get $end) (local.get $at)))))

  ;; Writes a whole number as text, at $from up to $to; 32 bytes at $paper are for it.
  (func $digits (param $n i64) (param $paper i32)
    (local $at i32) (local $isNegative i32)
    (local.set $at (i32.add (local.get $paper) (i32.const 24)))
    (global.set $to (local.get $at))
    (if (i64.lt_s (local.get $n) (i64.const 0))
      (then (local.set $isNegative (i32.const 1)) (local.set $n (i64.sub (i64.const 0) (local.get $n)))))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (br_if $more (i64.ne (local.get $n) (i64.const 0))))
    (if (local.get $isNegative)
      (then
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.const 45))))
    (global.set $from (local.get $at)))

  ;; The string of a whole number, as it would be written.
  (func $number (export "number") (param $low i32) (param $high i32) (param $paper i32)
    (call $digits
      (i64.or (i64.extend_i32_u (local.get $low)) (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))
      (local.get $paper))
    (call $text (global.get $from) (global.get $to)))

  ;; What the last string is: a key, whose value begins; a value; a member, whose place says nothing; the next of a list; the
  ;; field that the next one is the value of; that value, with the field's time to live; a member with its score.
  (func $isKey (export "isKey") (global.set $key (global.get $string)) (global.set $value (i64.const 0)))
  (func $isValue (export "isValue") (global.set $value (call $mix (global.get $string))))
  (func $member (export "isMember")
    (global.set $value (i64.add (global.get $value) (call $mix (global.get $string)))))
  (func (export "isNext") (call $next (global.get $string)))
  (func (export "isField") (global.set $field (global.get $string)))
  (func $isFieldValue (export "isFieldValue") (param $expires f64)
    (global.set $value
      (i64.add (global.get $value)
        (call $mix
          (i64.add
            (i64.add
              (i64.mul (global.get $field) (i64.const 0x9fb21c651e98df25))
              (i64.rotl (global.get $string) (i64.const 31)))
            (i64.mul (i64.reinterpret_f64 (local.get $expires)) (i64.const 0xa0761d6478bd642f)))))))
  (func (export "isScored") (param $score f64)
    (global.set $value
      (i64.add (global.get $value)
        (call $mix
          (i64.add
            (i64.mul (global.get $string) (i64.const 0x9fb21c651e98df25))
            (call $mix (i64.reinterpret_f64 (local.get $score))))))))
  (func (export "nextNumber") (param $n f64) (call $next (i64.reinterpret_f64 (local.get $n))))
  (func $next (param $x i64)
    (global.set $value
      (call $mix (i64.add (i64.mul (global.get $value) (i64.const 0x9fb21c651e98df25)) (local.get $x)))))

  ;; Writes the digest of the key with all that belongs to it to an address, and the key's own behind it.
  (func $entry (export "entry") (param $to i32) (param $type i32) (param $database i32) (param $expires f64)
    (local $place i64)
    (local.set $place
      (call $mix
        (i64.add (global.get $key) (i64.mul (i64.extend_i32_u (local.get $database)) (i64.const 0xe7037ed1a0b428db)))))
    (i64.store (local.get $to)
      (call $mix
        (i64.add
          (i64.add
            (i64.mul (local.get $place) (i64.const 0x9fb21c651e98df25))
            (i64.rotl (global.get $value) (i64.const 17)))
          (i64.add
            (i64.mul (i64.reinterpret_f64 (local.get $expires)) (i64.const 0xa0761d6478bd642f))
            (i64.mul (i64.extend_i32_u (local.get $type)) (i64.const 0x8ebc6af09c88c6e3))))))
    (i64.store offset=8 (local.get $to) (local.get $place)))

  ;; Counts the key, of a type, in the row of that type of 24 bytes at address 16512: keys, keys with a time to live, and the
  ;; sum of their digests. What `entry` writes it writes as well.
  (func $count (export "count") (param $type i32) (param $database i32) (param $expires f64)
    (local $row i32)
    (call $entry (i32.const 16384) (local.get $type) (local.get $database) (local.get $expires))
    (local.set $row (i32.add (i32.const 16512) (i32.mul (local.get $type) (i32.const 24))))
    (f64.store (local.get $row) (f64.add (f64.load (local.get $row)) (f64.const 1)))
    (if (f64.ge (local.get $expires) (f64.const 0))
      (then (f64.store offset=8 (local.get $row) (f64.add (f64.load offset=8 (local.get $row)) (f64.const 1)))))
    (i64.store offset=16 (local.get $row) (i64.add (i64.load offset=16 (local.get $row)) (i64.load (i32.const 16384)))))

  ;; Decompresses from $in to $out as far as both reach, and gives where it stopped in $in. It stops before what is not whole,
  ;; and refers to nothing before $oldest. Writes to the address $said where it stopped in $out, or 0 where it met what cannot be.
  (func $decompress (export "decompress") (param $in i32) (param $inEnd i32) (param $oldest i32) (param $out i32) (param $outEnd i32) (param $said i32) (result i32)
    (local $control i32) (local $length i32) (local $from i32) (local $at i32)
    (block $stop
      (loop $next
        (br_if $stop (i32.ge_u (local.get $in) (local.get $inEnd)))
        (local.set $control (i32.load8_u (local.get $in)))
        (local.set $at (i32.add (local.get $in) (i32.const 1)))
        (if (i32.lt_u (local.get $control) (i32.const 32))
          (then
            (local.set $length (i32.add (local.get $control) (i32.const 1)))
            (br_if $stop (i32.gt_u (i32.add (local.get $at) (local.get $length)) (local.get $inEnd)))
            (local.set $from (local.get $at))
            (local.set $at (i32.add (local.get $at) (local.get $length))))
          (else
            (local.set $length (i32.shr_u (local.get $control) (i32.const 5)))
            (if (i32.eq (local.get $length) (i32.const 7))
              (then
                (br_if $stop (i32.ge_u (local.get $at) (local.get $inEnd)))
                (local.set $length (i32.add (i32.const 7) (i32.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (br_if $stop (i32.ge_u (local.get $at) (local.get $inEnd)))
            (local.set $from
              (i32.sub
                (i32.sub (local.get $out) (i32.const 1))
                (i32.or
                  (i32.shl (i32.and (local.get $control) (i32.const 31)) (i32.const 8))
                  (i32.load8_u (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $length (i32.add (local.get $length) (i32.const 2)))
            (if (i32.lt_s (local.get $from) (local.get $oldest))
              (then
                (i32.store (local.get $said) (i32.const 0))
                (return (local.get $in))))))
        (br_if $stop (i32.gt_u (i32.add (local.get $out) (local.get $length)) (local.get $outEnd)))
        (loop $copy
          (i32.store8 (local.get $out) (i32.load8_u (local.get $from)))
          (local.set $out (i32.add (local.get $out) (i32.const 1)))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (local.set $length (i32.sub (local.get $length) (i32.const 1)))
          (br_if $copy (local.get $length)))
        (local.set $in (local.get $at))
        (br $next)))
    (i32.store (local.get $said) (local.get $out))
    (local.get $in))

  ;; Takes all elements of a listpack into the digest: as the next of a list (0), as members (1), as fields with their values
  ;; (2). Gives how many there are, or -1 where it is not as a listpack has to be; then what was taken is worth nothing.
  (func $listpack (export "listpack") (param $at i32) (param $end i32) (param $use i32) (result i32)
    (local $last i32) (local $announced i32) (local $count i32) (local $first i32) (local $from i32) (local $behind i32)
    (local $length i32) (local $size i32) (local $isText i32) (local $number i64)
    (local.set $last (i32.sub (local.get $end) (i32.const 1)))
    (block $damaged
      (br_if $damaged (i32.le_s (i32.sub (local.get $end) (local.get $at)) (i32.const 6)))
      (br_if $damaged (i32.ne (i32.load (local.get $at)) (i32.sub (local.get $end) (local.get $at))))
      (br_if $damaged (i32.ne (i32.load8_u (local.get $last)) (i32.const 255)))
      (local.set $announced (i32.load16_u offset=4 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 6)))
      (block $done
        (loop $elements
          (br_if $done (i32.ge_u (local.get $at) (local.get $last)))
          (local.set $first (i32.load8_u (local.get $at)))
          (local.set $isText (i32.const 0))
          (block $known
            (if (i32.lt_u (local.get $first) (i32.const 0x80))
              (then
                (local.set $number (i64.extend_i32_u (local.get $first)))
                (local.set $behind (i32.add (local.get $at) (i32.const 1)))
                (br $known)))
            (if (i32.lt_u (local.get $first) (i32.const 0xc0))
              (then
                (local.set $isText (i32.const 1))
                (local.set $length (i32.and (local.get $first) (i32.const 0x3f)))
                (local.set $from (i32.add (local.get $at) (i32.const 1)))
                (br $known)))
            (if (i32.lt_u (local.get $first) (i32.const 0xe0))
              (then
                ;; 13 bits with a sign.
                (local.set $number
                  (i64.extend_i32_s
                    (i32.shr_s
                      (i32.shl
                        (i32.or
                          (i32.shl (i32.and (local.get $first) (i32.const 0x1f)) (i32.const 8))
                          (i32.load8_u offset=1 (local.get $at)))
                        (i32.const 19))
                      (i32.const 19))))
                (local.set $behind (i32.add (local.get $at) (i32.const 2)))
                (br $known)))
            (if (i32.lt_u (local.get $first) (i32.const 0xf0))
              (then
                (local.set $isText (i32.const 1))
                (local.set $length
                  (i32.or
                    (i32.shl (i32.and (local.get $first) (i32.const 0x0f)) (i32.const 8))
                    (i32.load8_u offset=1 (local.get $at))))
                (local.set $from (i32.add (local.get $at) (i32.const 2)))
                (br $known)))
            (if (i32.eq (local.get $first) (i32.const 0xf0))
              (then
                (local.set $isText (i32.const 1))
                (local.set $length (i32.load offset=1 (local.get $at)))
                (local.set $from (i32.add (local.get $at) (i32.const 5)))
                (br $known)))
            (if (i32.eq (local.get $first) (i32.const 0xf1))
              (then
                (local.set $number (i64.load16_s offset=1 (local.get $at)))
                (local.set $behind (i32.add (local.get $at) (i32.const 3)))
                (br $known)))
            (if (i32.eq (local.get $first) (i32.const 0xf2))
              (then
                (local.set $number
                  (i64.extend_i32_s (i32.shr_s (i32.shl (i32.load offset=1 (local.get $at)) (i32.const 8)) (i32.const 8))))
                (local.set $behind (i32.add (local.get $at) (i32.const 4)))
                (br $known)))
            (if (i32.eq (local.get $first) (i32.const 0xf3))
              (then
                (local.set $number (i64.load32_s offset=1 (local.get $at)))
                (local.set $behind (i32.add (local.get $at) (i32.const 5)))
                (br $known)))
            (br_if $damaged (i32.ne (local.get $first) (i32.const 0xf4)))
            (local.set $number (i64.load offset=1 (local.get $at)))
            (local.set $behind (i32.add (local.get $at) (i32.const 9))))
          (if (local.get $isText)
            (then
              (br_if $damaged (i32.gt_u (local.get $from) (local.get $last)))
              (br_if $damaged (i32.gt_u (local.get $length) (i32.sub (local.get $last) (local.get $from))))
              (local.set $behind (i32.add (local.get $from) (local.get $length)))
              (call $text (local.get $from) (local.get $behind)))
            (else
              (br_if $damaged (i32.gt_u (local.get $behind) (local.get $last)))
              (call $digits (local.get $number) (i32.const 16448))
              (call $text (global.get $from) (global.get $to))))
          ;; Behind each element stands its length, to be read backwards.
          (local.set $length (i32.sub (local.get $behind) (local.get $at)))
          (local.set $size
            (i32.add
              (i32.add
                (i32.const 1)
                (i32.gt_u (local.get $length) (i32.const 127)))
              (i32.add
                (i32.ge_u (local.get $length) (i32.const 16383))
                (i32.add
                  (i32.ge_u (local.get $length) (i32.const 2097151))
                  (i32.ge_u (local.get $length) (i32.const 268435455))))))
          (local.set $at (i32.add (local.get $behind) (local.get $size)))
          (br_if $damaged (i32.gt_u (local.get $at) (local.get $last)))
          (local.set $from (local.get $at))
          (loop $back
            (local.set $from (i32.sub (local.get $from) (i32.const 1)))
            (br_if $damaged
              (i32.ne
                (i32.load8_u (local.get $from))
                (i32.or
                  (i32.and (local.get $length) (i32.const 0x7f))
                  (i32.shl (i32.gt_u (local.get $from) (local.get $behind)) (i32.const 7)))))
            (local.set $length (i32.shr_u (local.get $length) (i32.const 7)))
            (br_if $back (i32.gt_u (local.get $from) (local.get $behind))))
          (br_if $damaged (local.get $length))
          (if (i32.eqz (local.get $use))
            (then (call $next (global.get $string)))
            (else
              (if (i32.eq (local.get $use) (i32.const 1))
                (then (call $member))
                (else
                  (if (i32.and (local.get $count) (i32.const 1))
                    (then (call $isFieldValue (f64.const -1)))
                    (else (global.set $field (global.get $string))))))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (br $elements)))
      (br_if $damaged (i32.ne (local.get $at) (local.get $last)))
      (br_if $damaged
        (i32.and
          (i32.ne (local.get $announced) (i32.const 65535))
          (i32.ne (local.get $announced) (local.get $count))))
      (return (local.get $count)))
    (i32.const -1))
  ;; Whether so many bytes are there.
  (func $has (param $bytes i32) (result i32)
    (i32.ge_u (i32.sub (global.get $end) (global.get $at)) (local.get $bytes)))

  ;; The length that is next, or -1 where it is not there, or of a kind that is rare.
  (func $length (result i32)
    (local $first i32)
    (if (i32.eqz (call $has (i32.const 1))) (then (return (i32.const -1))))
    (local.set $first (i32.load8_u (global.get $at)))
    (if (i32.lt_u (local.get $first) (i32.const 0x40))
      (then
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (return (local.get $first))))
    (if (i32.lt_u (local.get $first) (i32.const 0x80))
      (then
        (if (i32.eqz (call $has (i32.const 2))) (then (return (i32.const -1))))
        (global.set $at (i32.add (global.get $at) (i32.const 2)))
        (return
          (i32.or
            (i32.shl (i32.and (local.get $first) (i32.const 0x3f)) (i32.const 8))
            (i32.load8_u (i32.sub (global.get $at) (i32.const 1)))))))
    (i32.const -1))

  ;; Whether the string that is next is whole, and of a kind that is not rare; it is at $from up to $to then. What is
  ;; compressed is put at $room, where it is not longer than that.
  (func $string (param $room i32) (param $roomEnd i32) (result i32)
    (local $first i32) (local $length i32) (local $plain i32) (local $behind i32)
    (if (i32.eqz (call $has (i32.const 1))) (then (return (i32.const 0))))
    (local.set $first (i32.load8_u (global.get $at)))
    (if (i32.lt_u (local.get $first) (i32.const 0xc0))
      (then
        (local.set $length (call $length))
        (if (i32.lt_s (local.get $length) (i32.const 0)) (then (return (i32.const 0))))
        (if (i32.eqz (call $has (local.get $length))) (then (return (i32.const 0))))
        (global.set $from (global.get $at))
        (global.set $at (i32.add (global.get $at) (local.get $length)))
        (global.set $to (global.get $at))
        (return (i32.const 1))))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (if (i32.eq (local.get $first) (i32.const 0xc3))
      (then
        (local.set $length (call $length))
        (local.set $plain (call $length))
        (if (i32.or (i32.le_s (local.get $length) (i32.const 0)) (i32.le_s (local.get $plain) (i32.const 0)))
          (then (return (i32.const 0))))
        (if (i32.eqz (call $has (local.get $length))) (then (return (i32.const 0))))
        (if (i32.gt_u (local.get $plain) (i32.sub (local.get $roomEnd) (local.get $room))) (then (return (i32.const 0))))
        (local.set $behind (i32.add (global.get $at) (local.get $length)))
        (global.set $from (local.get $room))
        (global.set $to (i32.add (local.get $room) (local.get $plain)))
        (if
          (i32.ne
            (call $decompress
              (global.get $at) (local.get $behind) (local.get $room) (local.get $room) (global.get $to) (i32.const 16416))
            (local.get $behind))
          (then (return (i32.const 0))))
        (global.set $at (local.get $behind))
        (return (i32.eq (i32.load (i32.const 16416)) (global.get $to)))))
    (if (i32.gt_u (local.get $first) (i32.const 0xc3)) (then (return (i32.const 0))))
    ;; A number of one, two or four bytes.
    (local.set $length (i32.shl (i32.const 1) (i32.sub (local.get $first) (i32.const 0xc0))))
    (if (i32.eqz (call $has (local.get $length))) (then (return (i32.const 0))))
    (local.set $behind (i32.shl (i32.sub (i32.const 4) (local.get $length)) (i32.const 3)))
    (call $digits
      (i64.extend_i32_s
        (i32.shr_s (i32.shl (i32.load (global.get $at)) (local.get $behind)) (local.get $behind)))
      (i32.const 16448))
    (global.set $at (i32.add (global.get $at) (local.get $length)))
    (i32.const 1))

  ;; Counts keys with their values, as far as they are whole and of the kinds that are frequent: strings, and listpacks of
  ;; lists, sets and hashes. Gives where the first one begins that it did not take. Another reader takes that one, or says
  ;; what is wrong with it. The first key expires at $expires unless that is negative; what expires up to $expiredBefore is
  ;; counted at address 16680 alone.
  (func (export "entries")
    (param $at i32) (param $end i32) (param $room i32) (param $roomEnd i32)
    (param $database i32) (param $expires f64) (param $expiredBefore f64) (result i32)
    (local $kind i32) (local $type i32) (local $left i32)
    (global.set $at (local.get $at))
    (global.set $end (local.get $end))
    (block $stop
      (loop $entries
        (local.set $at (global.get $at))
        (block $isKind
          (loop $before
            (br_if $stop (i32.eqz (call $has (i32.const 1))))
            (local.set $kind (i32.load8_u (global.get $at)))
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (br_if $isKind (i32.lt_u (local.get $kind) (i32.const 248)))
            (if (i32.eq (local.get $kind) (i32.const 252))
              (then
                (br_if $stop (i32.eqz (call $has (i32.const 8))))
                (local.set $expires (f64.convert_i64_s (i64.load (global.get $at))))
                (global.set $at (i32.add (global.get $at) (i32.const 8)))
                (br $before)))
            ;; How long it was not used, or how often it was.
            (if (i32.eq (local.get $kind) (i32.const 248))
              (then
                (br_if $stop (i32.lt_s (call $length) (i32.const 0)))
                (br $before)))
            (br_if $stop (i32.ne (local.get $kind) (i32.const 249)))
            (br_if $stop (i32.eqz (call $has (i32.const 1))))
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (br $before)))
        (br_if $stop (i32.eqz (call $string (local.get $room) (local.get $roomEnd))))
        (call $text (global.get $from) (global.get $to))
        (call $isKey)
        (block $taken
          (if (i32.eqz (local.get $kind))
            (then
              (br_if $stop (i32.eqz (call $string (local.get $room) (local.get $roomEnd))))
              (call $text (global.get $from) (global.get $to))
              (call $isValue)
              (local.set $type (i32.const 0))
              (br $taken)))
          (if (i32.eq (local.get $kind) (i32.const 16))
            (then
              (br_if $stop (i32.eqz (call $string (local.get $room) (local.get $roomEnd))))
              ;; Neither odd nor -1.
              (br_if $stop (i32.and (call $listpack (global.get $from) (global.get $to) (i32.const 2)) (i32.const 1)))
              (local.set $type (i32.const 4))
              (br $taken)))
          (if (i32.eq (local.get $kind) (i32.const 20))
            (then
              (br_if $stop (i32.eqz (call $string (local.get $room) (local.get $roomEnd))))
              (br_if $stop
                (i32.lt_s (call $listpack (global.get $from) (global.get $to) (i32.const 1)) (i32.const 0)))
              (local.set $type (i32.const 2))
              (br $taken)))
          (br_if $stop (i32.ne (local.get $kind) (i32.const 18)))
          (local.set $left (call $length))
          (br_if $stop (i32.lt_s (local.get $left) (i32.const 0)))
          (local.set $type (i32.const 1))
          (loop $nodes
            (br_if $taken (i32.eqz (local.get $left)))
            (br_if $stop (i32.ne (call $length) (i32.const 2)))
            (br_if $stop (i32.eqz (call $string (local.get $room) (local.get $roomEnd))))
            (br_if $stop
              (i32.lt_s (call $listpack (global.get $from) (global.get $to) (i32.const 0)) (i32.const 0)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $nodes)))
        (if
          (i32.and
            (f64.ge (local.get $expires) (f64.const 0))
            (f64.le (local.get $expires) (local.get $expiredBefore)))
          (then (f64.store (i32.const 16680) (f64.add (f64.load (i32.const 16680)) (f64.const 1))))
          (else (call $count (local.get $type) (local.get $database) (local.get $expires))))
        (local.set $expires (f64.const -1))
        (br $entries)))
    (local.get $at))
)
