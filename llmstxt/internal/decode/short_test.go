package decode_test

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/farwire/farwire/llmstxt/internal/decode"
)

// A page of a sentence or two has bytes at the places of Thai vowels in any encoding.
func TestUTF8_ShortPages_AreNotTakenForThai(t *testing.T) {
	for _, tt := range []struct {
		enc  encoding.Encoding
		text []string
	}{
		{charmap.KOI8R, []string{
			"Установка чайника занимает всего пять минут, если есть вода и розетка.", "Чайник кипятит воду для всех, кто того пожелает, и делает это быстро.",
			"Настройка описана здесь, и она проста: поверните ручку до упора вправо.", "Кружку ставят на стол только тогда, когда вода в чайнике уже закипела.",
		}},
		{simplifiedchinese.GB18030, []string{
			"安装茶壶只需要五分钟，前提是家里有水和电源插座。", "这本手册介绍茶壶的全部功能，并说明如何在家里安全地使用它。",
			"如果水不开，请检查电源线是否已经插好，然后再试一次。", "请把茶杯放在桌子上，等水烧开以后再慢慢倒进去。",
		}},
		{charmap.Windows874, []string{
			"กาน้ำต้มน้ำให้ทุกคนที่ต้องการ และทำได้อย่างรวดเร็วมาก", "การติดตั้งใช้เวลาเพียงห้านาทีถ้ามีน้ำและปลั๊กไฟอยู่ในบ้าน",
		}},
	} {
		for _, text := range tt.text {
			whole := "<html><head><title>" + string([]rune(text)[:6]) + "</title></head><body><h1>" + string([]rune(text)[:6]) + "</h1><p>" + text + "</p></body></html>"
			sent, err := tt.enc.NewEncoder().String(whole)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decode.UTF8(t.Context(), []byte(sent), "text/html"); err != nil || !strings.Contains(string(got), text) {
				t.Errorf("%v: %s, %v; want %s", tt.enc, got, err, text)
			}
		}
	}
}
