;; The inner loops of ../chunker.ts, in the memory that the bytes lie in. The 256 words of the gear table stand at address 0.
(module
  (import "env" "memory" (memory 1 65536 shared))

  ;; The gear hash of the bytes seen so far; whoever calls keeps it between calls.
  (global $hash (export "hash") (mut i32) (i32.const 0))

  ;; Hashes the bytes from address $at up to $end, and stops behind the first one where the hash has none of $mask's bits.
  ;; Returns the address behind that byte, or 0 when there is none.
  (func (export "scan") (param $at i32) (param $end i32) (param $mask i32) (result i32)
    (local $h i32)
    (local $last_four i32)
    (local.set $h (global.get $hash))
    (local.set $last_four (i32.sub (local.get $end) (i32.const 4)))
    ;; Four bytes a round take a fifth less time than one.
    (block $few
      (br_if $few (i32.gt_u (local.get $at) (local.get $last_four)))
      (loop $four
        (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1)) (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then (global.set $hash (local.get $h)) (return (i32.add (local.get $at) (i32.const 1)))))
        (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1)) (i32.load (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then (global.set $hash (local.get $h)) (return (i32.add (local.get $at) (i32.const 2)))))
        (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1)) (i32.load (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then (global.set $hash (local.get $h)) (return (i32.add (local.get $at) (i32.const 3)))))
        (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1)) (i32.load (i32.shl (i32.load8_u offset=3 (local.get $at)) (i32.const 2)))))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then (global.set $hash (local.get $h)) (return (i32.add (local.get $at) (i32.const 4)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $four (i32.le_u (local.get $at) (local.get $last_four)))))
    (block $none
      (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
      (loop $byte
        (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 1)) (i32.load (i32.shl (i32.load8_u (local.get $at)) (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.eqz (i32.and (local.get $h) (local.get $mask)))
          (then (global.set $hash (local.get $h)) (return (local.get $at))))
        (br_if $byte (i32.lt_u (local.get $at) (local.get $end)))))
    (global.set $hash (local.get $h))
    (i32.const 0))

  ;; Moves $length bytes from address $from to address $to; the two may overlap. JavaScript moves what is shared byte by byte
  ;; unless both ends lie alike, which takes twenty times as long.
  (func (export "move") (param $to i32) (param $from i32) (param $length i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $length))))
