package describe

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Vague titles name a place of a site and not the site. The words for a home page
// are those that sites have: of WordPress (its translations of "Home"), of
// MediaWiki (its message "mainpage", in many languages the Wikipedia's own), and of
// the themes of Docusaurus and Sphinx ("Home page", "Contents", "Index"); by the
// language's tag in BCP 47.
var homes = map[string]string{
	"af":  "tuis|tuisblad",
	"am":  "መነሻ|ዋናው ገጽ|ዋና ገጽ",
	"ar":  "الرئيسية|الصفحة الرئيسية|الصفحة الرئيسة|المحتويات|التوثيق|مقدمة",
	"az":  "ana səhifə",
	"be":  "галоўная|галоўная старонка",
	"bg":  "начало|начална страница|начална|съдържание",
	"bn":  "প্রচ্ছদ|হোম|প্রধান পাতা",
	"bs":  "početna|početna strana",
	"ca":  "inici|pàgina principal|portada|pàgina d'inici|índex|documentació",
	"cs":  "domů|úvod|hlavní strana|úvodní stránka|domovská stránka|obsah|dokumentace|vítejte",
	"cy":  "hafan|hafan dudalen",
	"da":  "hjem|forside|forsiden|startside|indhold|dokumentation|velkommen",
	"de":  "start|startseite|hauptseite|home|willkommen|inhalt|inhaltsverzeichnis|übersicht|überblick|einführung|einleitung|dokumentation|erste schritte",
	"el":  "αρχική|αρχική σελίδα|κύρια σελίδα|πύλη:κύρια|περιεχόμενα|τεκμηρίωση|εισαγωγή",
	"en":  "home|home page|homepage|main|main page|front page|landing page|start|start page|start here|welcome|index|index page|top|contents|table of contents|toc|list of figures|list of tables|list of examples|overview|introduction|intro|about|documentation|docs|doc|getting started|get started|quick start|quickstart|readme|untitled|untitled document|redirecting|redirect|redirect page|loading|please wait|page redirection|moved|default|blank|frames|frameset",
	"eo":  "ĉefpaĝo|hejmo|enhavo",
	"es":  "inicio|página principal|portada|página de inicio|índice|contenido|tabla de contenido|documentación|introducción|bienvenido|bienvenidos|primeros pasos",
	"et":  "avaleht|esileht|sisukord",
	"eu":  "hasiera|azala|orri nagusia",
	"fa":  "خانه|صفحهٔ اصلی|صفحه اصلی|صفحه نخست|فهرست",
	"fi":  "etusivu|koti|kotisivu|sisällys|sisällysluettelo|tervetuloa",
	"fil": "unang pahina|tahanan",
	"fr":  "accueil|page d'accueil|page d’accueil|bienvenue|sommaire|table des matières|index|aperçu|vue d'ensemble|introduction|documentation|démarrage|premiers pas",
	"ga":  "baile|príomhleathanach|leathanach baile",
	"gl":  "inicio|portada|páxina principal",
	"gu":  "મુખપૃષ્ઠ|હોમ",
	"he":  "בית|דף הבית|עמוד ראשי|תוכן עניינים",
	"hi":  "होम|मुखपृष्ठ|मुख्य पृष्ठ|मुख पृष्ठ|विषय सूची",
	"hr":  "početna|naslovnica|glavna stranica|početna stranica|sadržaj",
	"hu":  "kezdőlap|főoldal|kezdőoldal|címlap|tartalom|tartalomjegyzék|dokumentáció",
	"hy":  "գլխավոր|գլխավոր էջ|սկիզբ",
	"id":  "beranda|halaman utama|halaman depan|daftar isi|dokumentasi|selamat datang",
	"is":  "heim|forsíða|efnisyfirlit",
	"it":  "home|pagina principale|pagina iniziale|inizio|indice|sommario|benvenuto|benvenuti|introduzione|documentazione|panoramica",
	"ja":  "ホーム|ホームページ|メインページ|トップ|トップページ|目次|索引|はじめに|概要|ドキュメント|ようこそ|ドキュメンテーション|表紙|フロントページ",
	"ka":  "მთავარი|მთავარი გვერდი|დასაწყისი",
	"kk":  "басты бет|басты",
	"km":  "ទំព័រដើម|ទំព័រដើម",
	"kn":  "ಮುಖಪುಟ|ಮುಖ್ಯ ಪುಟ",
	"ko":  "홈|대문|홈페이지|첫 페이지|메인 페이지|메인|목차|소개|문서|개요|시작하기|시작 페이지|처음|처음으로|첫 화면|메인 화면|환영합니다",
	"ky":  "башкы бет|башкы барак",
	"lb":  "haaptsäit",
	"lo":  "ໜ້າຫຼັກ|ໜ້າທຳອິດ",
	"lt":  "pradžia|pagrindinis|pagrindinis puslapis|titulinis|turinys",
	"lv":  "sākums|sākumlapa|galvenā lapa|saturs",
	"mk":  "почетна|дома|главна страница",
	"ml":  "ഹോം|പ്രധാന താൾ|പ്രധാന പേജ്",
	"mn":  "нүүр|нүүр хуудас",
	"mr":  "मुखपृष्ठ|मुख्य पान",
	"ms":  "laman utama|utama|halaman utama",
	"my":  "ပင်မ|ပင်မစာမျက်နှာ|ဗဟိုစာမျက်နှာ",
	"nb":  "hjem|hovedside|forside|startside|innhold|dokumentasjon|velkommen",
	"ne":  "गृहपृष्ठ|मुख्य पृष्ठ",
	"nl":  "home|startpagina|hoofdpagina|beginpagina|welkom|inhoud|inhoudsopgave|overzicht|inleiding|introductie|documentatie|voorpagina",
	"nn":  "heim|hovudside",
	"pa":  "ਮੁੱਖ ਸਫ਼ਾ|ਮੁੱਖ ਪੰਨਾ",
	"pl":  "strona główna|start|główna|spis treści|dokumentacja|wprowadzenie|witamy|wstęp",
	"pt":  "início|página inicial|página principal|principal|capa|conteúdo|índice|sumário|documentação|introdução|bem-vindo|visão geral|primeiros passos",
	"ro":  "acasă|pagina principală|prima pagină|cuprins|documentație",
	"ru":  "главная|главная страница|заглавная страница|домой|начало|содержание|оглавление|введение|документация|добро пожаловать|обзор",
	"si":  "මුල් පිටුව|මුල් පිටුවට",
	"sk":  "domov|úvod|hlavná stránka|domovská stránka|úvodná stránka|obsah|dokumentácia",
	"sl":  "domov|domača stran|glavna stran|začetna stran|kazalo",
	"sq":  "kreu|ballina|faqja kryesore",
	"sr":  "почетна|почетак|главна страна|почетна страна|početna strana",
	"sv":  "hem|startsida|huvudsida|innehåll|innehållsförteckning|välkommen|översikt|dokumentation",
	"sw":  "nyumbani|mwanzo|ukurasa wa mwanzo",
	"ta":  "முகப்பு|முதற் பக்கம்|முதற்பக்கம்",
	"te":  "హోమ్|మొదటి పేజీ|ముఖపుట",
	"th":  "หน้าแรก|หน้าหลัก|สารบัญ|ยินดีต้อนรับ",
	"tr":  "ana sayfa|anasayfa|giriş|içindekiler|belgeler|dokümantasyon|hoş geldiniz|genel bakış",
	"uk":  "головна|головна сторінка|початок|зміст|документація|вступ|ласкаво просимо",
	"ur":  "صفحہ اول|سرورق|ہوم|صفحۂ اول",
	"uz":  "bosh sahifa|asosiy sahifa",
	"vi":  "trang chủ|trang chính|mục lục|giới thiệu|tài liệu|tổng quan",
	"zh":  "首页|主页|首頁|主頁|目录|目錄|介绍|简介|概述|文档|文件|文檔|欢迎|索引|入门|快速入门|快速开始|网站首页|網站首頁|主页面|主頁面|返回首页|回首頁|歡迎",
}

// vagueTitles are those of all languages: what stands on a page need not be in the
// language that it names.
var vagueTitles = func() map[string]bool {
	all := map[string]bool{}
	for _, words := range homes {
		for w := range strings.SplitSeq(words, "|") {
			all[plain.Key(w)] = true
		}
	}
	return all
}()

// vague reports a title that names no site and no section.
func vague(title string) bool {
	k := plain.Key(title)
	return k == "" || vagueTitles[k] || ofFolder.MatchString(title) || vagueTitles[strings.TrimSuffix(k, "documentation")]
}

// ofFolder matches what servers call the list of a folder's files.
var ofFolder = regexp.MustCompile(`^(?i)(?:index of|directory listing for|listing directory|directory:?) /`)

// kinds of books name sections, but no site.
var kinds = plain.Set("manual guide userguide usermanual usersguide reference referencemanual handbook tutorial help api apireference apidocumentation apidocs")

// generated are the titles that generators of documentation give a base page.
var generated = plain.Set("jsdoc jsdochome rdocdocumentation swaggerui redoc javadoc phpdocumentor generateddocumentation doxygen doxygendocumentation myproject myprojectdocumentation")

// hosts are programs that put their own name behind that of each site.
var hosts = plain.Set("confluence")

// byGenerator reports a title that a generator of documentation made up.
func byGenerator(title string) bool {
	k := plain.Key(title)
	return generated[k] || hosts[k] || strings.Contains(k, "documentationbyyard")
}

// placeholder reports a title that an editor, a template or a framework gave a page and
// nobody has changed, or that stands until a script has run.
func placeholder(title string) bool {
	k := strings.TrimRight(plain.Key(title), "…")
	if unchanged[k] || isIndexFile(title) {
		return true
	}
	// "New Page 1", "Untitled-2"
	stem := strings.TrimRight(k, "0123456789")
	return stem != k && numberedTemplates[stem]
}

// isIndexFile reports the name of the file of a first page: "index.rst", "README.md".
func isIndexFile(title string) bool {
	name, ext, ok := strings.Cut(title, ".")
	return ok && !strings.Contains(title, " ") && textFiles[strings.ToLower(ext)] && vague(name)
}

// textFiles are the endings of files with a page's text.
var textFiles = plain.Set("rst md markdown txt adoc asciidoc org textile html htm xhtml php rdoc tex texi")

// unchanged are what Dreamweaver, FrontPage, Emmet, Word and the starters of frameworks write,
// and what pages are called while they load.
var unchanged = plain.Set(`untitled untitleddocument untitledpage newpage newdocument document webpage pagetitle yourtitle yourtitlehere
	titlegoeshere inserttitlehere titleofthedocument title notitle blank blankpage default defaultpage index indexhtml indexphp defaultaspx htmldocument html5boilerplate
	reactapp createreactapp createnextapp nextapp nuxtapp viteapp vitereact vitereactts vitepreact vitevue vitevuets vitesvelte vitesveltets vuejsapp vueapp svelteapp sveltekitapp
	angularapp myapp gatsbydefaultstarter astrobasics remixapp newremixapp emberapp solidapp preactapp ionicapp
	loading loadingpage pleasewait redirecting undefined unbenanntesdokument documentsanstitre pagesanstitre documentosintítulo documentosemtítulo documentosenzatitolo
	naamloosdocument безымянныйдокумент документбезимени 无标题文档 無標題文件 無題ドキュメント 제목없음`)

// meant reports one of these titles that is the page's own, because its heading says the same:
// the index of a book. headings counts those of all pages: a template may have a heading, too.
// That of an index may be the letter that its first entries begin with.
func meant(title, heading string, headings map[string]int) bool {
	k := plain.Key(title)
	if k == "index" && utf8.RuneCountInString(heading) == 1 {
		return true
	}
	return plain.Key(heading) == k && ordinary[k] && (headings[heading] == 1 || k == "index")
}

// ordinary are those that people give pages as well.
var ordinary = plain.Set("index document title notitle default blank loading redirecting undefined webpage")

var numberedTemplates = plain.Set(`newpage untitled untitleddocument untitledpage page document seite neueseite`)

// ofGenerator reports a sentence in which a generator has put its own title for that of a site:
// "This is the API documentation for RDoc Documentation." So are what Doxygen says on each page
// of a file, of the depth of its lists and, beside its picture, of its version, and what Wikipedia says
// below the meanings of a word.
func ofGenerator(s string) bool {
	if isColophon(s) {
		return true
	}
	version, made := strings.CutPrefix(s, "Generated by ")
	if by, more, _ := strings.Cut(strings.TrimRight(version, "."), " "); made && makers[strings.ToLower(by)] && ofMaking.MatchString(more) {
		return true
	}
	if strings.HasPrefix(s, "Generated on ") && madeOn.MatchString(s) && strings.Contains(s, " for ") && (strings.Contains(s, " by") || strings.ContainsAny(s, ":")) {
		return true
	}
	if strings.HasPrefix(s, "[detail level ") || strings.HasPrefix(s, "Go to the source code of this file") || strings.HasPrefix(s, "This graph shows which files") ||
		strings.HasPrefix(s, "This disambiguation page lists ") || strings.HasPrefix(s, "If an internal link led you here, ") || made && strings.Trim(version, "0123456789.") == "" {
		return true
	}
	if ofSource(s) {
		return true
	}
	if !strings.Contains(s, "documentation ") {
		return false
	}
	for _, of := range []string{"documentation for ", "documentation of "} {
		if i := strings.LastIndex(s, of); i >= 0 && byGenerator(s[i+len(of):]) {
			return true
		}
	}
	return false
}

// ofMaking is what stands behind a generator's name in its line: nothing, its version, a day. A
// sentence goes on in other ways.
var ofMaking = regexp.MustCompile(`^(?:$|v?[0-9(]|on [A-Z0-9]|at |version )`)

var madeOn = regexp.MustCompile(`^Generated on (?:[0-9]|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[ ,.])`)

// isState reports a part of a title that is a date, or the number of a version.
func isState(part string) bool {
	n := len(part)
	return n > 1 && n <= maxState && ('0' <= part[0] && part[0] <= '9' || part[0]|0x20 == 'v') && state.MatchString(part)
}

const maxState = 40 // bytes of one

var state = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d|[vV]?\d+\.\d+(?:\.\d+)?(?:[-+]\S+)?)$`)

// unnamed reports a title that names no site.
func unnamed(title string) bool {
	return vague(title) || placeholder(title) || kinds[plain.Key(title)] || byGenerator(title) || isState(title)
}
