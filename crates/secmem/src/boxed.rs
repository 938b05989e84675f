//! A value in secret memory.
#![allow(unsafe_code, reason = "a box over memory taken by hand")]

use crate::pool::{Part, SLOT};
use crate::stack::wiped;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A value that lies in secret memory, and is wiped when dropped.
///
/// It can be neither shown nor copied. Taking one costs a lock.
pub struct SecretBox<T> {
    part: Part,
    value: PhantomData<T>,
}

impl<T> SecretBox<T> {
    /// Puts what `make` makes into secret memory; what that left on the stack is wiped.
    pub fn new(make: impl FnOnce() -> T) -> Self {
        wiped(|| Self::new_unwiped(make))
    }

    /// The same within work on a secret whose stack is [`wiped`].
    pub fn new_unwiped(make: impl FnOnce() -> T) -> Self {
        const { assert!(align_of::<T>() <= SLOT, "no slot has this alignment") };
        // A box only once there is a value in it: `make` may panic.
        let part = Part::take(size_of::<T>());
        let place: NonNull<T> = part.start().cast();
        // SAFETY: the part has the value's size and alignment, and nobody else has it.
        unsafe { place.write(make()) };
        SecretBox { part, value: PhantomData }
    }

    fn place(&self) -> NonNull<T> {
        self.part.start().cast()
    }

    /// Hands the value, out of secret memory, to `work`; to be done within work whose stack is [`wiped`].
    pub fn consume<A>(self, work: impl FnOnce(T) -> A) -> A {
        // The value is no longer dropped here; its memory is, to be wiped, whatever becomes of `work`.
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: the part is read once, from where nobody reads or drops it again.
        let part = unsafe { std::ptr::read(&raw const this.part) };
        let place: NonNull<T> = part.start().cast();
        // SAFETY: `new` has put a value there, and nobody drops it any more.
        work(unsafe { place.read() })
    }
}

impl<T> Deref for SecretBox<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: `new` put a value there; it stays until the box is gone, and is borrowed as the box is.
        unsafe { self.place().as_ref() }
    }
}

impl<T> DerefMut for SecretBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the box is borrowed alone.
        unsafe { self.place().as_mut() }
    }
}

impl<T> Drop for SecretBox<T> {
    fn drop(&mut self) {
        // SAFETY: the value is there and dropped once; its memory is wiped after it.
        unsafe { self.place().drop_in_place() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_value_is_held_changed_dropped_once_and_consumed_once() {
        let counted = Rc::new(());
        let mut boxed = SecretBox::new(|| (Rc::clone(&counted), [7_u8; 100]));
        boxed.1[3] = 8;
        assert_eq!(boxed.1[3], 8);
        drop(boxed);
        assert_eq!(Rc::strong_count(&counted), 1);
        let boxed = SecretBox::new(|| (Rc::clone(&counted), 5));
        assert_eq!(boxed.consume(|(_, number)| number), 5);
        assert_eq!(Rc::strong_count(&counted), 1);
    }

    #[test]
    fn a_panic_drops_what_is_there_and_nothing_else() {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        let counted = Rc::new(());
        let made = catch_unwind(|| SecretBox::<Rc<()>>::new(|| panic!("none is made")));
        assert!(made.is_err());
        let boxed = SecretBox::new(|| Rc::clone(&counted));
        let consumed = catch_unwind(AssertUnwindSafe(|| boxed.consume(|_| panic!("it is not liked"))));
        assert!(consumed.is_err());
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
