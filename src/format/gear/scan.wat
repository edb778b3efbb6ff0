;; Looks for the end of a chunk: the inner loop of ../chunker.ts, in the memory that the bytes lie in.
;; The 256 words of the gear table stand at address 0.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; The gear hash of the bytes seen so far; whoever calls keeps it between calls.
  (global $hash (export "hash") (mut i32) (i32.const 0))

  ;; Hashes the bytes from address $at up to $end, and stops behind the first one where the hash has none of $mask's bits.
  ;; Returns the address behind that byte, or 0 when there is none.
  (func (export "scan") (param $at i32) (param $end i32) (param $mask i32) (result i32)
    (local $h i32)
    (local.set $h (global.get $hash))
    (block $none
      (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
      (loop $byte
        (local.set $h
          (i32.add
            (i32.shl (local.get $h) (i32.const 1))
            (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then
            (global.set $hash (local.get $h))
            (return (local.get $at))))
        (br_if $byte (i32.lt_u (local.get $at) (local.get $end)))))
    (global.set $hash (local.get $h))
    (i32.const 0)))
