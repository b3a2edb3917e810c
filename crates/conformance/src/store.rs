//! What every [`Store`] must pass.
//!
//! It knows nothing of where objects are kept: it sees names, bytes and handles.

mod names;
mod objects;
mod races;

use steadfast_core::store::Store;

/// One store, of which several handles can be had.
///
/// Every closure that gives a `Box<dyn Store>` is one; it may own a temporary folder.
pub trait StoreFixture {
    /// Another handle on the store, as another process would have it.
    fn store(&self) -> Box<dyn Store>;
}

impl<F: Fn() -> Box<dyn Store>> StoreFixture for F {
    fn store(&self) -> Box<dyn Store> {
        self()
    }
}

/// Runs all checks of the [`Store`] contract; every call of `make` gives a store without objects.
///
/// ```no_run
/// # fn my_store(folder: &str) -> Box<dyn steadfast_core::store::Store> { panic!("{folder}") }
/// # fn a_fresh_folder() -> String { String::new() }
/// steadfast_conformance::store(|| {
///     let folder = a_fresh_folder();
///     move || my_store(&folder)
/// });
/// ```
///
/// # Panics
/// If a rule is broken, with the rule.
pub fn store<F: StoreFixture>(make: impl Fn() -> F) {
    objects::an_object_is_created_once_and_never_changed(&make());
    objects::a_deleted_object_can_be_created_again(&make());
    objects::a_repeated_put_finds_its_own_bytes(&make());
    objects::bytes_come_back_as_they_were(&make());
    objects::a_handle_sees_what_another_did_at_once(&make());
    names::a_list_is_recursive_and_ascending(&make());
    names::a_prefix_may_end_within_a_name(&make());
    names::deep_names_are_names(&make());
    names::a_folder_may_hold_many_objects(&make());
    names::a_folder_that_was_emptied_can_be_written_to(&make());
    races::one_of_many_writers_wins(&make());
    races::whoever_looks_sees_whole_objects(&make());
    races::a_folder_is_written_to_while_others_empty_it(&make());
}
