package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/fairwayfreight/fairway/common/store"
)

var writeTests = []test{
	{"an inserted record is read back at version 1", func(f *fixture) {
		f.insert(thing("a", at(7), body(`{"n":1}`)))
		f.holds("a", 1, `{"n":1}`)
		f.missing("b")
	}},
	{"a taken id is refused and nothing is written", func(f *fixture) {
		f.insert(thing("a", body(`1`)))
		f.duplicate(f.table.Insert(f.ctx, thing("a", body(`2`), key("owner", "o"), key("email", "e"), events("x"))), store.ByID)
		f.holds("a", 1, `1`)
		f.finds(store.Query{Index: "owner", Match: "o"})
		f.depth(0)
		f.insert(thing("b", key("email", "e")))
	}},
	{"a taken unique key is refused by its index's name and nothing is written", func(f *fixture) {
		f.insert(thing("a", key("email", "e"), key("owner", "o")))
		err := f.table.Insert(f.ctx, thing("b", key("email", "free"), key("email", "e"), key("owner", "o"), events("x")))
		f.duplicate(err, "email")
		f.missing("b")
		f.finds(store.Query{Index: "owner", Match: "o"}, "a")
		f.finds(store.Query{Index: "email", Match: "free"})
		f.depth(0)
		f.insert(thing("b", key("email", "free")))
	}},
	{"a refusal by the last of many indexes leaves nothing in the others", func(f *fixture) {
		f.table = f.open(store.Schema{Name: "last", Indexes: []store.IndexSchema{{Name: "owner"}, {Name: "name", Unique: true}, {Name: "email", Unique: true}}})
		f.insert(thing("a", key("email", "e")))
		f.insert(thing("b", key("owner", "o")))
		taken := []func(*store.Record){key("owner", "p"), key("name", "n"), key("email", "e")}
		f.duplicate(f.table.Insert(f.ctx, thing("c", taken...)), "email")
		f.duplicate(f.table.Replace(f.ctx, thing("b", append(taken, at(1))...)), "email")
		added, err := f.table.InsertMany(f.ctx, []store.Record{thing("d", key("owner", "q")), thing("c", taken...), thing("e", key("owner", "q"))})
		f.duplicate(err, "email")
		if added != 1 {
			f.Fatalf("%d were added, want 1", added)
		}
		f.finds(store.Query{}, "a", "b", "d")
		f.finds(store.Query{Index: "owner", Match: "o"}, "b")
		f.finds(store.Query{Index: "owner", Match: "p"})
		f.insert(thing("c", key("name", "n")))
	}},
	{"an insert that is tried again is refused by its id", func(f *fixture) {
		f.insert(thing("a", key("email", "e")))
		f.duplicate(f.table.Insert(f.ctx, thing("a", key("email", "e"))), store.ByID)
	}},
	{"a unique key is match and order together, and binds other records only", func(f *fixture) {
		f.insert(thing("a", ordered("email", "e", "1"), ordered("email", "e", "2")))
		f.duplicate(f.table.Insert(f.ctx, thing("b", ordered("email", "e", "2"))), "email")
		f.insert(thing("b", ordered("email", "e", "3")))
		f.duplicate(f.table.Replace(f.ctx, thing("a", at(1), ordered("email", "e", "3"))), "email")
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), ordered("email", "e", "1"))))
		f.finds(store.Query{Index: "email", Match: "e"}, "a", "b")
	}},
	{"many records are read at once and missing ones passed over", func(f *fixture) {
		want := map[string]string{}
		var asked []string
		for i := range 30 {
			id := fmt.Sprintf("id-%02d", i)
			asked = append(asked, id, "no-"+id)
			want[id] = fmt.Sprintf(`{"n":%d}`, i)
			f.insert(thing(id, body(want[id])))
		}
		records, err := f.table.GetMany(f.ctx, asked)
		f.ok(err)
		got := map[string]string{}
		for _, r := range records {
			got[r.ID] = string(r.Body)
			if r.Version != 1 {
				f.Fatalf("%s is at version %d, want 1", r.ID, r.Version)
			}
		}
		if len(records) != len(want) || !maps.Equal(got, want) {
			f.Fatalf("got %v, want %v", got, want)
		}
		records, err = f.table.GetMany(f.ctx, nil)
		f.ok(err)
		if len(records) != 0 {
			f.Fatalf("got %d records for no ids", len(records))
		}
		_, err = f.table.GetMany(f.ctx, slices.Repeat([]string{"x"}, store.MaxBatch+1))
		f.refused(err)
	}},
	{"a replaced record has the new body, keys and the next version", func(f *fixture) {
		f.insert(thing("a", body(`1`), key("owner", "o"), key("tag", "t"), key("email", "e")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), body(`2`), key("owner", "p"), key("tag", "t"), key("tag", "u"))))
		f.holds("a", 2, `2`)
		f.finds(store.Query{Index: "owner", Match: "o"})
		f.finds(store.Query{Index: "owner", Match: "p"}, "a")
		f.finds(store.Query{Index: "tag", Match: "t"}, "a")
		f.finds(store.Query{Index: "tag", Match: "u"}, "a")
		f.finds(store.Query{Index: "email", Match: "e"})
		f.ok(f.table.Replace(f.ctx, thing("a", at(2), body(`3`))))
		f.holds("a", 3, `3`)
		f.finds(store.Query{Index: "tag", Match: "t"})
	}},
	{"a replace decided on another version is refused and nothing is written", func(f *fixture) {
		f.insert(thing("a", body(`1`), key("owner", "o")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), body(`2`), key("owner", "o"))))
		for _, version := range []int64{1, 3} {
			f.is(f.table.Replace(f.ctx, thing("a", at(version), body(`x`), key("owner", "p"), events("e"))), store.ErrConflict)
		}
		f.holds("a", 2, `2`)
		f.finds(store.Query{Index: "owner", Match: "o"}, "a")
		f.finds(store.Query{Index: "owner", Match: "p"})
		f.depth(0)
	}},
	{"a replace of no record is refused and nothing is written", func(f *fixture) {
		f.is(f.table.Replace(f.ctx, thing("a", at(1), key("owner", "o"), events("e"))), store.ErrNotFound)
		f.missing("a")
		f.finds(store.Query{Index: "owner", Match: "o"})
		f.depth(0)
	}},
	{"a replace with a taken unique key is refused and nothing is written", func(f *fixture) {
		f.insert(thing("a", key("email", "e")))
		f.insert(thing("b", body(`1`), key("email", "f"), key("owner", "o")))
		err := f.table.Replace(f.ctx, thing("b", at(1), body(`2`), key("email", "free"), key("email", "e"), key("owner", "p"), events("x")))
		f.duplicate(err, "email")
		f.holds("b", 1, `1`)
		f.finds(store.Query{Index: "email", Match: "free"})
		f.finds(store.Query{Index: "email", Match: "f"}, "b")
		f.finds(store.Query{Index: "owner", Match: "o"}, "b")
		f.finds(store.Query{Index: "owner", Match: "p"})
		f.depth(0)
	}},
	{"a unique key is free again after a replace and after a delete", func(f *fixture) {
		f.insert(thing("a", key("email", "e")))
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), key("email", "e"))))
		f.ok(f.table.Replace(f.ctx, thing("a", at(2), key("email", "f"))))
		f.insert(thing("b", key("email", "e")))
		f.ok(f.table.Delete(f.ctx, "b", 1))
		f.insert(thing("c", key("email", "e")))
		f.finds(store.Query{Index: "email", Match: "e"}, "c")
	}},
	{"a deleted record is gone with its keys and its events", func(f *fixture) {
		f.insert(thing("a", key("owner", "o"), events("x")))
		f.insert(thing("b", key("owner", "o"), events("y")))
		f.is(f.table.Delete(f.ctx, "a", 2), store.ErrConflict)
		f.is(f.table.Delete(f.ctx, "c", 0), store.ErrNotFound)
		f.depth(2)
		f.ok(f.table.Delete(f.ctx, "a", 1))
		f.ok(f.table.Delete(f.ctx, "b", 0))
		f.is(f.table.Delete(f.ctx, "a", 0), store.ErrNotFound)
		f.missing("a")
		f.missing("b")
		f.finds(store.Query{Index: "owner", Match: "o"})
		f.finds(store.Query{})
		f.depth(0)
	}},
	{"a record that breaks the schema is refused and nothing is written", func(f *fixture) {
		for name, r := range map[string]store.Record{
			"no id":                     thing(""),
			"id with NUL":               thing("a\x00b"),
			"id that is not UTF-8":      thing("a\xff"),
			"unknown index":             thing("a", key("nothing", "x")),
			"match with NUL":            thing("a", key("owner", "\x00")),
			"order that is not UTF-8":   thing("a", ordered("owner", "o", "\xc3")),
			"event without id":          thing("a", events("")),
			"event id that is not text": thing("a", events("\xff")),
		} {
			if f.table.Insert(f.ctx, r) == nil {
				f.Errorf("insert with %s was accepted", name)
			}
			r.Version = 1
			if f.table.Replace(f.ctx, r) == nil {
				f.Errorf("replace with %s was accepted", name)
			}
		}
		f.finds(store.Query{})
		f.depth(0)
	}},
	{"odd texts are kept apart and found again", func(f *fixture) {
		odd := oddTexts()
		for i, text := range odd {
			r := thing("id"+text, body(fmt.Sprint(i)), key("email", text), ordered("owner", "all", text), events("e"+text))
			f.insert(r)
		}
		for i, text := range odd {
			f.holds("id"+text, 1, fmt.Sprint(i))
			f.finds(store.Query{Index: "email", Match: text}, "id"+text)
			f.duplicate(f.table.Insert(f.ctx, thing("another", key("email", text))), "email")
		}
		all := make([]string, len(odd))
		for i, text := range odd {
			all[i] = "id" + text
		}
		records, err := f.table.GetMany(f.ctx, all)
		f.ok(err)
		if len(records) != len(odd) {
			f.Fatalf("%d of %d records read", len(records), len(odd))
		}
		slices.Sort(all) // Go compares strings bytewise.
		f.finds(store.Query{Index: "owner", Match: "all"}, all...)
		f.finds(store.Query{}, all...)
		waiting, err := f.table.Claim(f.ctx, len(odd), patience)
		f.ok(err)
		f.ok(f.table.Settle(f.ctx, waiting))
		f.depth(0)
		for _, text := range odd {
			f.ok(f.table.Replace(f.ctx, thing("id"+text, at(1))))
			f.finds(store.Query{Index: "email", Match: text})
			f.ok(f.table.Delete(f.ctx, "id"+text, 2))
		}
	}},
	{"a body of a mebibyte comes back as it was", func(f *fixture) {
		big := `{"d":"` + string(bytes.Repeat([]byte("0123456789abcdef"), 1<<16)) + `"}`
		f.insert(thing("a", body(big), key("owner", "o")))
		f.holds("a", 1, big)
		f.ok(f.table.Replace(f.ctx, thing("a", at(1), body(big+" "), key("owner", "o"))))
		f.holds("a", 2, big+" ")
	}},
}

// oddTexts are texts that careless quoting, collation or case folding would mix up.
func oddTexts() []string {
	return []string{
		"", " ", "  ", "a", "A", "aa", "a ", "ab", "b", "0", "00", "1", "10", "2", "1e1", "null", "true", "-1", "%", "_", "a%", "*", "?", "[a]",
		"'", "''", `"`, `\`, `\\`, "`", "$", "$ne", "a.b", "a.", ".", "{}", "[]", `{"$gt":""}`, ";", "--", "/*", "?1", ":id",
		"\x01", "\x02\x03", "\t", "\n", "\r\n", "\x1f", "\x7f", "\u0080", "\u00ff", "\u00e9", "e\u0301", "ß", "ss", "I", "i", "İ", "ı",
		"\u2028", "\ud7ff", "\ue000", "\uffff", "\ufffd", "\ufeff", "😀", "😀😀", "\U0010ffff", "<&>", "日本", "العربية",
	}
}
